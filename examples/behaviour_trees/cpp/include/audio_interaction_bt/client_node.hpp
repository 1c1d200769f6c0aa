// What asks a server: a call of a service, a goal of an action. RUNNING from its start on.

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "audio_interaction_bt/callbacks.hpp"
#include "behaviortree_cpp/action_node.h"

namespace audio_interaction_bt
{

// Makes its client at the first start, and asks as soon as somebody serves. `Call`: what is known
// of one question; each start begins without one.
template<class Client, class Call>
class ClientNode : public BT::StatefulActionNode
{
public:
  ClientNode(
    const std::string & name, const BT::NodeConfig & config,
    const std::shared_ptr<rclcpp::Node> & node)
  : BT::StatefulActionNode(name, config), node_(node), callbacks_(node) {}

  BT::NodeStatus onStart() final
  {
    if (!client_) {
      client_ = connect();
    }
    call_.reset();
    began_ = Clock::now();
    return onRunning();
  }

  BT::NodeStatus onRunning() final
  {
    if (!call_ && is_served()) {
      call_ = ask();
    }
    callbacks_.take();
    return look();
  }

protected:
  virtual std::shared_ptr<Client> connect() = 0;
  virtual bool is_served() const = 0;
  virtual std::shared_ptr<Call> ask() = 0;

  // What the node is after what has come; call_ is empty where nobody serves yet.
  virtual BT::NodeStatus look() = 0;

  bool is_late() const
  {
    return Clock::now() - began_ > std::chrono::seconds(3);
  }

  std::shared_ptr<rclcpp::Node> node_;
  Callbacks callbacks_;
  std::shared_ptr<Client> client_;
  std::shared_ptr<Call> call_;

private:
  using Clock = std::chrono::steady_clock;

  Clock::time_point began_{};
};

}  // namespace audio_interaction_bt
