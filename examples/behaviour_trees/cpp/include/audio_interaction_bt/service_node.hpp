// A call of a service: RUNNING until it is answered.

#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include <rclcpp/version.h>

#include "audio_interaction_bt/client_node.hpp"
#include "audio_interaction_bt/ports.hpp"

namespace audio_interaction_bt
{

// Calls the service of its port service_name; FAILURE where none answers within 3 s.
template<class T>
class ServiceNode : public ClientNode<rclcpp::Client<T>, typename rclcpp::Client<T>::SharedFuture>
{
public:
  using Request = typename T::Request;
  using Response = typename T::Response;
  using ServiceNode::ClientNode::ClientNode;

  // What was asked cannot be taken back; nobody waits for the answer any more.
  void onHalted() final {}

protected:
  virtual void fill(Request & request) = 0;
  virtual bool is_success(const Response & response) = 0;

private:
  using Client = rclcpp::Client<T>;
  using Answer = typename Client::SharedFuture;

  std::shared_ptr<Client> connect() final
  {
#if RCLCPP_VERSION_GTE(28, 0, 0)  // from Jazzy on
    const rclcpp::ServicesQoS qos;
#else
    const auto & qos = rmw_qos_profile_services_default;
#endif
    return this->node_->template create_client<T>(
      value_of<std::string>(*this, "service_name"), qos, this->callbacks_.group);
  }

  bool is_served() const final
  {
    return this->client_->service_is_ready();
  }

  std::shared_ptr<Answer> ask() final
  {
    const auto request = std::make_shared<Request>();
    fill(*request);
    return std::make_shared<Answer>(this->client_->async_send_request(request).future.share());
  }

  BT::NodeStatus look() final
  {
    const auto & answer = this->call_;
    if (answer && answer->wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
      return is_success(*answer->get()) ? BT::NodeStatus::SUCCESS : BT::NodeStatus::FAILURE;
    }
    return this->is_late() ? BT::NodeStatus::FAILURE : BT::NodeStatus::RUNNING;
  }
};

}  // namespace audio_interaction_bt
