#include "audio_interaction_bt/nodes.hpp"

#include <algorithm>
#include <regex>
#include <sstream>
#include <vector>

namespace audio_interaction_bt
{

using BT::InputPort;
using BT::NodeStatus;
using BT::OutputPort;

bool lists(const std::string & names, const std::string & one)
{
  if (names.empty()) {
    return true;
  }
  std::istringstream parts(names);
  for (std::string name; std::getline(parts, name, ';'); ) {
    if (name == one) {
      return true;
    }
  }
  return false;
}

namespace
{

// The value of a port that has a default.
template<class T>
T value_of(const BT::TreeNode & node, const std::string & port)
{
  T value{};
  if (const auto found = node.getInput(port, value); !found) {
    throw BT::RuntimeError(node.name() + ": " + port + ": " + found.error());
  }
  return value;
}

}  // namespace

BT::PortsList AudioAlert::providedPorts()
{
  return providedBasicPorts({
    InputPort<int>("min_severity", 3, "0 INFO, 1 WARN, 2 ERROR, 3 CRITICAL"),
    InputPort<std::string>("labels", "", "labels with ; between them; empty: any"),
    OutputPort<std::string>("label", "label of the worst one"),
    OutputPort<std::string>("message", "what is to be said of it"),
    OutputPort<std::string>("id", "what AcknowledgeAlert takes")});
}

NodeStatus AudioAlert::onTick(const std::shared_ptr<Message> & last_msg)
{
  if (last_msg) {
    newest_ = last_msg;
  }
  if (!newest_) {
    return NodeStatus::FAILURE;  // AudioHold is what fails closed
  }
  using Alert = audio_interaction_msgs::msg::Alert;
  const int least = value_of<int>(*this, "min_severity");
  const auto labels = value_of<std::string>(*this, "labels");
  const Alert * worst = nullptr;
  for (const auto & alert : newest_->alerts) {
    if (alert.state == Alert::ACTIVE && alert.severity >= least && lists(labels, alert.label) &&
      (worst == nullptr || alert.severity > worst->severity))
    {
      worst = &alert;
    }
  }
  if (worst == nullptr) {
    return NodeStatus::FAILURE;
  }
  setOutput("label", worst->label);
  setOutput("message", worst->message);
  setOutput("id", worst->id);
  return NodeStatus::SUCCESS;
}

BT::PortsList AudioHold::providedPorts()
{
  return providedBasicPorts({
    InputPort<double>("silent_s", 1.0, "without a message for so long it is held too")});
}

NodeStatus AudioHold::onTick(const std::shared_ptr<Message> & last_msg)
{
  const auto said = last_msg ? std::optional<bool>(last_msg->data) : std::nullopt;
  return state_.look(said, value_of<double>(*this, "silent_s")) ?
         NodeStatus::SUCCESS : NodeStatus::FAILURE;
}

BT::PortsList SoundHeard::providedPorts()
{
  return {
    InputPort<std::string>("topic_name", "sounds", "where sounds are told"),
    InputPort<std::string>("sounds", "", "names with ; between them; empty: any")};
}

NodeStatus SoundHeard::tick()
{
  for (Message event; take(event); ) {
    if (event.state == Message::STARTED) {
      on_.insert(event.sound);
    } else {
      on_.erase(event.sound);
    }
  }
  const auto names = value_of<std::string>(*this, "sounds");
  const bool heard = std::any_of(
    on_.begin(), on_.end(), [&](const std::string & sound) {return lists(names, sound);});
  return heard ? NodeStatus::SUCCESS : NodeStatus::FAILURE;
}

BT::PortsList IntentHeard::providedPorts()
{
  return {
    InputPort<std::string>("topic_name", "reply", "where replies are told"),
    InputPort<std::string>("intents", "", "names with ; between them; empty: any"),
    InputPort<std::string>("slot", "", "the slot whose value is wanted, such as place"),
    OutputPort<std::string>("intent", "which one it was"),
    OutputPort<std::string>("value", "value of the slot; empty where it has none")};
}

NodeStatus IntentHeard::tick()
{
  Message order;  // the newest: what was wanted before a "stop" is wanted no more
  for (Message reply; take(reply); ) {
    if (reply.is_final && !reply.intent.empty()) {
      order = reply;
    }
  }
  if (order.intent.empty() || !lists(value_of<std::string>(*this, "intents"), order.intent)) {
    return NodeStatus::FAILURE;
  }
  const auto wanted = value_of<std::string>(*this, "slot");
  std::string value;
  const auto count = std::min(order.slot_names.size(), order.slot_values.size());
  for (size_t i = 0; i < count; ++i) {
    if (order.slot_names[i] == wanted) {
      value = order.slot_values[i];
    }
  }
  setOutput("intent", order.intent);
  setOutput("value", value);
  return NodeStatus::SUCCESS;
}

BT::PortsList AcknowledgeAlert::providedPorts()
{
  return providedBasicPorts({
    InputPort<std::string>("id", "", "which alert; empty: all"),
    InputPort<std::string>("operator_name", "behaviour tree", "who answers, for the log"),
    InputPort<std::string>("response", "", "what was done about it, for the log")});
}

bool AcknowledgeAlert::setRequest(Request::SharedPtr & request)
{
  request->id = value_of<std::string>(*this, "id");
  request->operator_name = value_of<std::string>(*this, "operator_name");
  request->response = value_of<std::string>(*this, "response");
  return true;
}

NodeStatus AcknowledgeAlert::onResponseReceived(const Response::SharedPtr & response)
{
  return response->success ? NodeStatus::SUCCESS : NodeStatus::FAILURE;
}

BT::PortsList Listen::providedPorts()
{
  return providedBasicPorts({
    InputPort<double>("max_duration", 20.0, "gives up after so many seconds; 0: never"),
    InputPort<std::string>("language", "", "BCP-47; empty: any"),
    OutputPort<std::string>("text", "what was said")});
}

bool Listen::setGoal(Goal & goal)
{
  goal.max_duration = rclcpp::Duration::from_seconds(value_of<double>(*this, "max_duration"));
  goal.language = value_of<std::string>(*this, "language");
  return true;
}

NodeStatus Listen::onResultReceived(const WrappedResult & result)
{
  const bool heard = result.result && result.result->success;
  setOutput("text", heard ? result.result->transcript.text : std::string());
  return heard ? NodeStatus::SUCCESS : NodeStatus::FAILURE;
}

BT::PortsList Say::providedPorts()
{
  return providedBasicPorts({
    InputPort<std::string>("text", "what is to be said"),
    InputPort<std::string>("language", "", "BCP-47; empty: guessed"),
    InputPort<int>("priority", 1, "0 LOW, 1 NORMAL, 2 HIGH, 3 CRITICAL")});
}

bool Say::setGoal(Goal & goal)
{
  goal.text = value_of<std::string>(*this, "text");
  goal.language = value_of<std::string>(*this, "language");
  goal.priority = static_cast<uint8_t>(value_of<int>(*this, "priority"));
  return true;
}

NodeStatus Say::onResultReceived(const WrappedResult & result)
{
  return result.result && result.result->success ? NodeStatus::SUCCESS : NodeStatus::FAILURE;
}

BT::PortsList StopRobot::providedPorts()
{
  return providedBasicPorts({});
}

bool StopRobot::setMessage(Message & message)
{
  message = Message();
  return true;
}

BT::PortsList TextMatches::providedPorts()
{
  return {
    InputPort<std::string>("text", "where it is looked for"),
    InputPort<std::string>("pattern", "a regular expression of ECMAScript")};
}

NodeStatus TextMatches::tick()
{
  const std::regex pattern(value_of<std::string>(*this, "pattern"), std::regex::icase);
  return std::regex_search(value_of<std::string>(*this, "text"), pattern) ?
         NodeStatus::SUCCESS : NodeStatus::FAILURE;
}

void register_nodes(BT::BehaviorTreeFactory & factory, const std::shared_ptr<rclcpp::Node> & node)
{
  const auto params = [&](const std::string & name) {
      BT::RosNodeParams made;
      made.nh = node;
      made.default_port_value = name;
      return made;
    };
  factory.registerNodeType<AudioAlert>("AudioAlert", params("alerts/active"));
  factory.registerNodeType<AudioHold>("AudioHold", params("alerts/hold"));
  factory.registerNodeType<SoundHeard>("SoundHeard", node);
  factory.registerNodeType<IntentHeard>("IntentHeard", node);
  factory.registerNodeType<AcknowledgeAlert>("AcknowledgeAlert", params("alerts/acknowledge"));
  factory.registerNodeType<Listen>("Listen", params("listen"));
  factory.registerNodeType<Say>("Say", params("say"));
  factory.registerNodeType<StopRobot>("StopRobot", params("cmd_vel"));
  factory.registerNodeType<TextMatches>("TextMatches");
}

}  // namespace audio_interaction_bt
