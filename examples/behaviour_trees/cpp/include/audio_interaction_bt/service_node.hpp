// A call of a service: RUNNING until it is answered.

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <rclcpp/version.h>

#include "audio_interaction_bt/callbacks.hpp"
#include "audio_interaction_bt/ports.hpp"
#include "behaviortree_cpp/action_node.h"

namespace audio_interaction_bt
{

// Calls the service of its port service_name; FAILURE where none answers within 3 s.
template<class T>
class ServiceNode : public BT::StatefulActionNode
{
public:
  using Request = typename T::Request;
  using Response = typename T::Response;
  ServiceNode(
    const std::string & name, const BT::NodeConfig & config,
    const std::shared_ptr<rclcpp::Node> & node)
  : BT::StatefulActionNode(name, config), node_(node), callbacks_(node) {}

  BT::NodeStatus onStart() final
  {
    if (!client_) {
#if RCLCPP_VERSION_GTE(28, 0, 0)  // from Jazzy on
      const rclcpp::ServicesQoS qos;
#else
      const auto & qos = rmw_qos_profile_services_default;
#endif
      client_ = node_->create_client<T>(
        value_of<std::string>(*this, "service_name"), qos, callbacks_.group);
    }
    answer_ = {};
    began_ = Clock::now();
    return onRunning();
  }

  BT::NodeStatus onRunning() final
  {
    if (!answer_.valid() && client_->service_is_ready()) {
      const auto request = std::make_shared<Request>();
      fill(*request);
      answer_ = client_->async_send_request(request).future.share();
    }
    callbacks_.take();
    if (answer_.valid() && answer_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
      return is_success(*answer_.get()) ? BT::NodeStatus::SUCCESS : BT::NodeStatus::FAILURE;
    }
    return Clock::now() - began_ < std::chrono::seconds(3) ?
           BT::NodeStatus::RUNNING : BT::NodeStatus::FAILURE;
  }

  // What was asked cannot be taken back; nobody waits for the answer any more.
  void onHalted() final {}

protected:
  virtual void fill(Request & request) = 0;
  virtual bool is_success(const Response & response) = 0;

private:
  using Clock = std::chrono::steady_clock;

  std::shared_ptr<rclcpp::Node> node_;
  Callbacks callbacks_;
  typename rclcpp::Client<T>::SharedPtr client_;
  typename rclcpp::Client<T>::SharedFuture answer_;
  Clock::time_point began_{};
};

}  // namespace audio_interaction_bt
