// What a robot hears, as nodes for BehaviorTree.CPP 4.
//
// Each wraps one topic, service or action of the assistant. Names are relative to the namespace of
// the node that register_nodes() is given. Nodes of a state, such as AudioHold, look at the newest
// message; nodes of events, such as SoundHeard, at every one since their last tick.

#pragma once

#include <memory>
#include <set>
#include <string>

#include <geometry_msgs/msg/twist.hpp>
#include <std_msgs/msg/bool.hpp>

#include <audio_interaction_msgs/action/listen.hpp>
#include <audio_interaction_msgs/action/say.hpp>
#include <audio_interaction_msgs/msg/alert_array.hpp>
#include <audio_interaction_msgs/msg/reply.hpp>
#include <audio_interaction_msgs/msg/sound_event.hpp>
#include <audio_interaction_msgs/srv/acknowledge_alert.hpp>

#include "audio_interaction_bt/action_node.hpp"
#include "audio_interaction_bt/hold_state.hpp"
#include "audio_interaction_bt/service_node.hpp"
#include "audio_interaction_bt/topic_node.hpp"
#include "behaviortree_cpp/bt_factory.h"

namespace audio_interaction_bt
{

constexpr size_t events_kept = 50;

// SUCCESS while an alert waits for a person; the worst of them in the outputs.
class AudioAlert : public TopicNode<audio_interaction_msgs::msg::AlertArray, 1>
{
public:
  using TopicNode::TopicNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;

private:
  Message newest_;
};

// SUCCESS while the robot must stand: alerts/hold is true, or did not come for silent_s seconds.
class AudioHold : public TopicNode<std_msgs::msg::Bool, 1>
{
public:
  using TopicNode::TopicNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;

private:
  HoldState state_;
};

// SUCCESS while a sound goes on.
class SoundHeard : public TopicNode<audio_interaction_msgs::msg::SoundEvent, events_kept>
{
public:
  using TopicNode::TopicNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;

private:
  std::set<std::string> on_;
};

// SUCCESS once for a reply with one of these intents, if no newer order came since the last tick;
// its slot of a name in an output.
class IntentHeard : public TopicNode<audio_interaction_msgs::msg::Reply, events_kept>
{
public:
  using TopicNode::TopicNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;
};

// SUCCESS where a regular expression is found in a text, in any case.
class TextMatches : public BT::ConditionNode
{
public:
  using BT::ConditionNode::ConditionNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;
};

// Acknowledges an alert, or all of them.
class AcknowledgeAlert : public ServiceNode<audio_interaction_msgs::srv::AcknowledgeAlert>
{
public:
  using ServiceNode::ServiceNode;
  static BT::PortsList providedPorts();

protected:
  void fill(Request & request) override;
  bool is_success(const Response & response) override;
};

// Waits for one utterance.
class Listen : public ActionNode<audio_interaction_msgs::action::Listen>
{
public:
  using ActionNode::ActionNode;
  static BT::PortsList providedPorts();

protected:
  void fill(Goal & goal) override;
  bool is_success(const Result & result) override;
};

// Says a text aloud.
class Say : public ActionNode<audio_interaction_msgs::action::Say>
{
public:
  using ActionNode::ActionNode;
  static BT::PortsList providedPorts();

protected:
  void fill(Goal & goal) override;
  bool is_success(const Result & result) override;
};

// Tells the wheels to stand, at each tick.
class StopRobot : public BT::SyncActionNode
{
public:
  using Message = geometry_msgs::msg::Twist;
  StopRobot(
    const std::string & name, const BT::NodeConfig & config,
    const std::shared_ptr<rclcpp::Node> & node)
  : BT::SyncActionNode(name, config), node_(node) {}
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;

private:
  std::shared_ptr<rclcpp::Node> node_;
  rclcpp::Publisher<Message>::SharedPtr wheels_;
};

// Makes all of them known to a factory, under the names of the trees.
void register_nodes(BT::BehaviorTreeFactory & factory, const std::shared_ptr<rclcpp::Node> & node);

}  // namespace audio_interaction_bt
