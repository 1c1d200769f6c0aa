// The tree for nav2 with the plugin as nav2 loads it, and stand-ins for the nodes of nav2 itself.

#include <memory>
#include <string>

#include <std_msgs/msg/bool.hpp>
#ifdef WITH_NAV2_ROS_COMMON
#include <nav2_ros_common/lifecycle_node.hpp>
using Nav2Node = nav2::LifecycleNode;
#else
#include <rclcpp/rclcpp.hpp>
using Nav2Node = rclcpp::Node;
#endif

#include "robot.hpp"

using BT::NodeStatus;
using Bool = std_msgs::msg::Bool;

namespace
{

// Drives until it is halted.
class FollowPath : public BT::StatefulActionNode
{
public:
  using BT::StatefulActionNode::StatefulActionNode;
  static BT::PortsList providedPorts()
  {
    return {BT::InputPort<std::string>("path"), BT::InputPort<std::string>("controller_id")};
  }
  static int starts, halts;

private:
  NodeStatus onStart() override {++starts; return NodeStatus::RUNNING;}
  NodeStatus onRunning() override {return NodeStatus::RUNNING;}
  void onHalted() override {++halts;}
};
int FollowPath::starts = 0;
int FollowPath::halts = 0;

// The rest of nav2's nodes, as simple as the tree allows.
void register_stand_ins(BT::BehaviorTreeFactory & factory, int & plans)
{
  const auto done = [](BT::TreeNode &) {return NodeStatus::SUCCESS;};
  factory.registerSimpleAction(
    "ComputePathToPose", [&plans](BT::TreeNode & node) {
      ++plans;
      node.setOutput("path", std::string("a path"));
      return NodeStatus::SUCCESS;
    }, {BT::InputPort<std::string>("goal"), BT::InputPort<std::string>("planner_id"),
      BT::OutputPort<std::string>("path")});
  factory.registerSimpleAction(
    "ClearEntireCostmap", done, {BT::InputPort<std::string>("service_name")});
  factory.registerSimpleAction("Wait", done, {BT::InputPort<double>("wait_duration")});
  factory.registerNodeType<FollowPath>("FollowPath");
  factory.registerNodeType<BT::ReactiveSequence>("PipelineSequence", BT::PortsList{});
  factory.registerNodeType<BT::FallbackNode>(
    "RecoveryNode", BT::PortsList{BT::InputPort<int>("number_of_retries")});
  factory.registerNodeType<BT::ForceSuccessNode>(
    "RateController", BT::PortsList{BT::InputPort<double>("hz")});
}

}  // namespace

TEST(Nav2AudioHold, PausesTheRouteWhileHeldOrSilentAndPlansAnew)
{
  const auto node = std::make_shared<Nav2Node>("nav2", name_space());
  const auto ears = std::make_shared<rclcpp::Node>("ears", name_space());
  const auto hold = ears->create_publisher<Bool>("audio_interaction/alerts/hold", 1);
  BT::BehaviorTreeFactory factory;
  int plans = 0;
  register_stand_ins(factory, plans);
  factory.registerFromPlugin(PLUGIN);
  const auto blackboard = BT::Blackboard::create();
  blackboard->set<Nav2Node::SharedPtr>("node", node);
  blackboard->set<std::string>("goal", "the kitchen");
  factory.registerBehaviorTreeFromFile(std::string(TREES) + "/nav2_pause_on_alert.xml");
  auto tree = factory.createTree("PauseOnAlert", blackboard);

  tree.tickOnce();
  EXPECT_EQ(FollowPath::starts, 0) << "it drives though nobody hears";
  const auto say = [&](bool held) {return [&hold, held] {
               Bool message;
               message.data = held;
               hold->publish(message);
             };};
  tick_until(tree, "it drives", [] {return FollowPath::starts == 1;}, say(false));
  tick_until(tree, "an alert halts it", [] {return FollowPath::halts == 1;}, say(true));
  const int before = plans;
  tree.tickOnce();
  EXPECT_EQ(plans, before) << "it plans while it is held";
  tick_until(tree, "it drives on", [] {return FollowPath::starts == 2;}, say(false));
  EXPECT_GT(plans, before) << "it drives the old path";
  tick_until(tree, "silence halts it", [] {return FollowPath::halts == 2;});
}

int main(int argc, char ** argv)
{
  return run_tests(argc, argv);
}
