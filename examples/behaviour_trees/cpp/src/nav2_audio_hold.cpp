// AudioHold as a plugin of nav2's bt_navigator: SUCCESS while the robot must stand.
//
// nav2 hands nothing to its nodes; they find their ROS node on the blackboard. Same ports and same
// meaning as AudioHold in nodes.hpp; needs none of our messages.

#include <optional>
#include <string>

#include <rclcpp/rclcpp.hpp>
#include <std_msgs/msg/bool.hpp>
#ifdef WITH_NAV2_ROS_COMMON
#include <nav2_ros_common/lifecycle_node.hpp>
#endif

#include "audio_interaction_bt/hold_state.hpp"
#include "audio_interaction_bt/inbox.hpp"
#include "behaviortree_cpp/bt_factory.h"
#include "behaviortree_cpp/condition_node.h"

namespace audio_interaction_bt
{

// The kind of node that nav2 puts on the blackboard; another one from Lyrical on.
#ifdef WITH_NAV2_ROS_COMMON
using Nav2Node = nav2::LifecycleNode;
#else
using Nav2Node = rclcpp::Node;
#endif

class Nav2AudioHold : public BT::ConditionNode
{
public:
  Nav2AudioHold(const std::string & name, const BT::NodeConfig & config)
  : BT::ConditionNode(name, config) {}

  static BT::PortsList providedPorts()
  {
    return {
      BT::InputPort<std::string>(
        "topic_name", "audio_interaction/alerts/hold", "the topic alerts/hold"),
      BT::InputPort<double>("silent_s", 1.0, "without a message for so long it is held too")};
  }

  BT::NodeStatus tick() override
  {
    if (!inbox_) {
      inbox_.emplace(
        *config().blackboard->get<Nav2Node::SharedPtr>("node"),
        getInput<std::string>("topic_name").value(), 1);
    }
    std::optional<bool> said;
    for (std_msgs::msg::Bool message; inbox_->take(message); ) {
      said = message.data;
    }
    return state_.look(said, getInput<double>("silent_s").value()) ?
           BT::NodeStatus::SUCCESS : BT::NodeStatus::FAILURE;
  }

private:
  HoldState state_;
  std::optional<Inbox<std_msgs::msg::Bool>> inbox_;
};

}  // namespace audio_interaction_bt

BT_REGISTER_NODES(factory)
{
  factory.registerNodeType<audio_interaction_bt::Nav2AudioHold>("AudioHold");
}
