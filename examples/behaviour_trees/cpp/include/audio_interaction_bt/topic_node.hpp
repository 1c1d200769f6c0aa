// A condition on a topic.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "audio_interaction_bt/inbox.hpp"
#include "audio_interaction_bt/ports.hpp"
#include "behaviortree_cpp/condition_node.h"

namespace audio_interaction_bt
{

// Subscribes to its port topic_name at the first tick. `depth`: how many messages it keeps between
// two ticks, the newest ones; 1 for a state, more where each message counts.
template<class T, size_t depth>
class TopicNode : public BT::ConditionNode
{
public:
  using Message = T;
  TopicNode(
    const std::string & name, const BT::NodeConfig & config,
    const std::shared_ptr<rclcpp::Node> & node)
  : BT::ConditionNode(name, config), node_(node) {}

protected:
  // Fills in the next message since the last tick; false where there is none.
  bool take(Message & message)
  {
    if (!inbox_) {
      inbox_.emplace(*node_, value_of<std::string>(*this, "topic_name"), depth);
    }
    return inbox_->take(message);
  }

  // The newest message since the last tick, where one came.
  std::optional<Message> take_newest()
  {
    std::optional<Message> newest;
    for (Message message; take(message); ) {
      newest = message;
    }
    return newest;
  }

private:
  std::shared_ptr<rclcpp::Node> node_;
  std::optional<Inbox<Message>> inbox_;
};

}  // namespace audio_interaction_bt
