// What is heard: conditions on topics.

#include "audio_interaction_bt/nodes.hpp"

#include <algorithm>
#include <optional>
#include <regex>
#include <sstream>

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

BT::PortsList AudioAlert::providedPorts()
{
  return {
    InputPort<std::string>("topic_name", "alerts/active", "where open alerts are told"),
    InputPort<int>("min_severity", 3, "0 INFO, 1 WARN, 2 ERROR, 3 CRITICAL"),
    InputPort<std::string>("labels", "", "labels with ; between them; empty: any"),
    OutputPort<std::string>("label", "label of the worst one"),
    OutputPort<std::string>("message", "what is to be said of it"),
    OutputPort<std::string>("id", "what AcknowledgeAlert takes")};
}

NodeStatus AudioAlert::tick()
{
  newest_ = take_newest().value_or(newest_);  // none yet: no alert; AudioHold is what fails closed
  using Alert = audio_interaction_msgs::msg::Alert;
  const int least = value_of<int>(*this, "min_severity");
  const auto labels = value_of<std::string>(*this, "labels");
  const Alert * worst = nullptr;
  for (const auto & alert : newest_.alerts) {
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
  return {
    InputPort<std::string>("topic_name", "alerts/hold", "whether to stand"),
    InputPort<double>("silent_s", 1.0, "without a message for so long it is held too")};
}

NodeStatus AudioHold::tick()
{
  const auto newest = take_newest();
  const auto said = newest ? std::optional<bool>(newest->data) : std::nullopt;
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

}  // namespace audio_interaction_bt
