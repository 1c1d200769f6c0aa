// Every message of a topic, taken by whoever ticks.
//
// One message kept between two ticks is right for a state, such as alerts/hold. Of events each
// counts: two sounds of one chunk come within a millisecond, and a sound whose end was missed would
// go on for ever.

#pragma once

#include <memory>
#include <string>

#include <rclcpp/rclcpp.hpp>

namespace audio_interaction_bt
{

template<class Message>
class Inbox
{
public:
  // Subscribes; `depth` is how many messages wait for the next tick at most, the newest ones.
  template<class Node>
  Inbox(Node & node, const std::string & topic, size_t depth)
  : group_(node.get_node_base_interface()->create_callback_group(
        rclcpp::CallbackGroupType::MutuallyExclusive, false))  // no executor takes them away
  {
    rclcpp::SubscriptionOptions options;
    options.callback_group = group_;
    options.use_intra_process_comm = rclcpp::IntraProcessSetting::Disable;
    subscription_ = rclcpp::create_subscription<Message>(
      node, topic, rclcpp::QoS(depth), [](std::shared_ptr<const Message>) {}, options);
  }

  // Fills in the oldest message that was not taken yet; false where there is none.
  bool take(Message & message)
  {
    rclcpp::MessageInfo info;
    return subscription_->take(message, info);
  }

private:
  rclcpp::CallbackGroup::SharedPtr group_;
  typename rclcpp::Subscription<Message>::SharedPtr subscription_;
};

}  // namespace audio_interaction_bt
