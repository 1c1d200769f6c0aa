// What a robot hears, as nodes for BehaviorTree.CPP 4 on top of behaviortree_ros2.
//
// Each wraps one topic, service or action of the assistant. Names are relative to the namespace of
// the node in RosNodeParams. Nodes of a state, such as AudioHold, look at the newest message; nodes
// of events, such as SoundHeard, at every one since their last tick.

#pragma once

#include <memory>
#include <optional>
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

#include "audio_interaction_bt/hold_state.hpp"
#include "audio_interaction_bt/inbox.hpp"
#include "behaviortree_cpp/bt_factory.h"
#include "behaviortree_ros2/bt_action_node.hpp"
#include "behaviortree_ros2/bt_service_node.hpp"
#include "behaviortree_ros2/bt_topic_pub_node.hpp"
#include "behaviortree_ros2/bt_topic_sub_node.hpp"

namespace audio_interaction_bt
{

// True where a list with semicolons between names this one, or is empty.
bool lists(const std::string & names, const std::string & one);

// SUCCESS while an alert waits for a person; the worst of them in the outputs.
class AudioAlert : public BT::RosTopicSubNode<audio_interaction_msgs::msg::AlertArray>
{
public:
  using Message = audio_interaction_msgs::msg::AlertArray;
  using BT::RosTopicSubNode<Message>::RosTopicSubNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus onTick(const std::shared_ptr<Message> & last_msg) override;

private:
  std::shared_ptr<Message> newest_;
};

// SUCCESS while the robot must stand: alerts/hold is true, or did not come for silent_s seconds.
class AudioHold : public BT::RosTopicSubNode<std_msgs::msg::Bool>
{
public:
  using Message = std_msgs::msg::Bool;
  using BT::RosTopicSubNode<Message>::RosTopicSubNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus onTick(const std::shared_ptr<Message> & last_msg) override;

private:
  HoldState state_;
};

// Takes each message of a topic, in the order in which they came.
template<class T>
class EventNode : public BT::ConditionNode
{
public:
  using Message = T;
  EventNode(
    const std::string & name, const BT::NodeConfig & config,
    const std::shared_ptr<rclcpp::Node> & node)
  : BT::ConditionNode(name, config), node_(node) {}

protected:
  // Fills in the next message since the last tick; false where there is none.
  bool take(Message & message)
  {
    if (!inbox_) {
      inbox_.emplace(*node_, getInput<std::string>("topic_name").value(), 50);
    }
    return inbox_->take(message);
  }

private:
  std::shared_ptr<rclcpp::Node> node_;
  std::optional<Inbox<Message>> inbox_;
};

// SUCCESS while a sound goes on.
class SoundHeard : public EventNode<audio_interaction_msgs::msg::SoundEvent>
{
public:
  using EventNode::EventNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;

private:
  std::set<std::string> on_;
};

// SUCCESS once for a reply with one of these intents, if no newer order came since the last tick;
// its slot of a name in an output.
class IntentHeard : public EventNode<audio_interaction_msgs::msg::Reply>
{
public:
  using EventNode::EventNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;
};

// Acknowledges an alert, or all of them.
class AcknowledgeAlert : public BT::RosServiceNode<audio_interaction_msgs::srv::AcknowledgeAlert>
{
public:
  using Service = audio_interaction_msgs::srv::AcknowledgeAlert;
  using BT::RosServiceNode<Service>::RosServiceNode;
  static BT::PortsList providedPorts();
  bool setRequest(Request::SharedPtr & request) override;
  BT::NodeStatus onResponseReceived(const Response::SharedPtr & response) override;
};

// Waits for one utterance.
class Listen : public BT::RosActionNode<audio_interaction_msgs::action::Listen>
{
public:
  using Action = audio_interaction_msgs::action::Listen;
  using BT::RosActionNode<Action>::RosActionNode;
  static BT::PortsList providedPorts();
  bool setGoal(Goal & goal) override;
  BT::NodeStatus onResultReceived(const WrappedResult & result) override;
};

// Says a text aloud.
class Say : public BT::RosActionNode<audio_interaction_msgs::action::Say>
{
public:
  using Action = audio_interaction_msgs::action::Say;
  using BT::RosActionNode<Action>::RosActionNode;
  static BT::PortsList providedPorts();
  bool setGoal(Goal & goal) override;
  BT::NodeStatus onResultReceived(const WrappedResult & result) override;
};

// Tells the wheels to stand, at each tick.
class StopRobot : public BT::RosTopicPubNode<geometry_msgs::msg::Twist>
{
public:
  using Message = geometry_msgs::msg::Twist;
  using BT::RosTopicPubNode<Message>::RosTopicPubNode;
  static BT::PortsList providedPorts();
  bool setMessage(Message & message) override;
};

// SUCCESS where a regular expression is found in a text, in any case.
class TextMatches : public BT::ConditionNode
{
public:
  using BT::ConditionNode::ConditionNode;
  static BT::PortsList providedPorts();
  BT::NodeStatus tick() override;
};

// Makes all of them known to a factory, under the names of the trees.
void register_nodes(BT::BehaviorTreeFactory & factory, const std::shared_ptr<rclcpp::Node> & node);

}  // namespace audio_interaction_bt
