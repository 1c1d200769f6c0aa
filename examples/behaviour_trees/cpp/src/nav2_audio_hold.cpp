// AudioHold as a plugin of nav2's bt_navigator: SUCCESS while the robot must stand.
//
// nav2 gives its nodes no RosNodeParams; they find their ROS node on the blackboard. Same ports and
// same meaning as AudioHold in nodes.hpp; needs neither behaviortree_ros2 nor our messages.

#include <chrono>
#include <memory>
#include <string>

#include <rclcpp/rclcpp.hpp>
#include <std_msgs/msg/bool.hpp>
#ifdef WITH_NAV2_ROS_COMMON
#include <nav2_ros_common/lifecycle_node.hpp>
#endif

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
    if (!subscription_) {
      subscribe();
    }
    executor_.spin_some();
    double limit = 1.0;
    getInput("silent_s", limit);
    const double silent = std::chrono::duration<double>(Clock::now() - came_).count();
    return held_ || silent > limit ? BT::NodeStatus::SUCCESS : BT::NodeStatus::FAILURE;
  }

private:
  using Clock = std::chrono::steady_clock;
  using Bool = std_msgs::msg::Bool;

  // A callback group of its own: it is spun here, in the tick, and never beside it.
  void subscribe()
  {
    const auto node = config().blackboard->get<Nav2Node::SharedPtr>("node");
    std::string topic;
    getInput("topic_name", topic);
    const auto base = node->get_node_base_interface();
    group_ = base->create_callback_group(rclcpp::CallbackGroupType::MutuallyExclusive, false);
    executor_.add_callback_group(group_, base);
    rclcpp::SubscriptionOptions options;
    options.callback_group = group_;
    subscription_ = rclcpp::create_subscription<Bool>(
      *node, topic, rclcpp::QoS(1), [this](const Bool::SharedPtr message) {
        held_ = message->data;
        came_ = Clock::now();
      }, options);
  }

  bool held_ = true;
  Clock::time_point came_{};
  rclcpp::CallbackGroup::SharedPtr group_;
  rclcpp::executors::SingleThreadedExecutor executor_;
  rclcpp::Subscription<Bool>::SharedPtr subscription_;
};

}  // namespace audio_interaction_bt

BT_REGISTER_NODES(factory)
{
  factory.registerNodeType<audio_interaction_bt::Nav2AudioHold>("AudioHold");
}
