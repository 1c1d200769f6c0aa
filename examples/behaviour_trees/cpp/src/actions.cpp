// What is done about it, and all of the nodes by their names.

#include "audio_interaction_bt/nodes.hpp"

namespace audio_interaction_bt
{

using BT::InputPort;
using BT::NodeStatus;
using BT::OutputPort;

BT::PortsList AcknowledgeAlert::providedPorts()
{
  return {
    InputPort<std::string>("service_name", "alerts/acknowledge", "who is told"),
    InputPort<std::string>("id", "", "which alert; empty: all"),
    InputPort<std::string>("operator_name", "behaviour tree", "who answers, for the log"),
    InputPort<std::string>("response", "", "what was done about it, for the log")};
}

void AcknowledgeAlert::fill(Request & request)
{
  request.id = value_of<std::string>(*this, "id");
  request.operator_name = value_of<std::string>(*this, "operator_name");
  request.response = value_of<std::string>(*this, "response");
}

bool AcknowledgeAlert::is_success(const Response & response)
{
  return response.success;
}

BT::PortsList Listen::providedPorts()
{
  return {
    InputPort<std::string>("action_name", "listen", "who listens"),
    InputPort<double>("max_duration", 20.0, "gives up after so many seconds; 0: never"),
    InputPort<std::string>("language", "", "BCP-47; empty: any"),
    OutputPort<std::string>("text", "what was said")};
}

void Listen::fill(Goal & goal)
{
  goal.max_duration = rclcpp::Duration::from_seconds(value_of<double>(*this, "max_duration"));
  goal.language = value_of<std::string>(*this, "language");
}

bool Listen::is_success(const Result & result)
{
  setOutput("text", result.success ? result.transcript.text : std::string());
  return result.success;
}

BT::PortsList Say::providedPorts()
{
  return {
    InputPort<std::string>("action_name", "say", "who speaks"),
    InputPort<std::string>("text", "what is to be said"),
    InputPort<std::string>("language", "", "BCP-47; empty: guessed"),
    InputPort<int>("priority", 1, "0 LOW, 1 NORMAL, 2 HIGH, 3 CRITICAL")};
}

void Say::fill(Goal & goal)
{
  goal.text = value_of<std::string>(*this, "text");
  goal.language = value_of<std::string>(*this, "language");
  goal.priority = static_cast<uint8_t>(value_of<int>(*this, "priority"));
}

bool Say::is_success(const Result & result)
{
  return result.success;
}

BT::PortsList StopRobot::providedPorts()
{
  return {
    InputPort<std::string>("topic_name", "cmd_vel", "where the wheels are told")};
}

NodeStatus StopRobot::tick()
{
  if (!wheels_) {
    wheels_ = node_->create_publisher<Message>(value_of<std::string>(*this, "topic_name"), 1);
  }
  wheels_->publish(Message());
  return NodeStatus::SUCCESS;
}

void register_nodes(BT::BehaviorTreeFactory & factory, const std::shared_ptr<rclcpp::Node> & node)
{
  factory.registerNodeType<AudioAlert>("AudioAlert", node);
  factory.registerNodeType<AudioHold>("AudioHold", node);
  factory.registerNodeType<SoundHeard>("SoundHeard", node);
  factory.registerNodeType<IntentHeard>("IntentHeard", node);
  factory.registerNodeType<TextMatches>("TextMatches");
  factory.registerNodeType<AcknowledgeAlert>("AcknowledgeAlert", node);
  factory.registerNodeType<Listen>("Listen", node);
  factory.registerNodeType<Say>("Say", node);
  factory.registerNodeType<StopRobot>("StopRobot", node);
}

}  // namespace audio_interaction_bt
