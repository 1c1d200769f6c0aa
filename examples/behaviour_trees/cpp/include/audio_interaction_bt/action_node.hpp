// A goal of an action: RUNNING until its result comes, called off where the node is halted.

#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <rclcpp_action/rclcpp_action.hpp>

#include "audio_interaction_bt/callbacks.hpp"
#include "audio_interaction_bt/ports.hpp"
#include "behaviortree_cpp/action_node.h"

namespace audio_interaction_bt
{

// Sends a goal to the action of its port action_name; FAILURE where nobody takes it within 3 s.
//
// A goal can be over, or not answered yet, at the moment in which its node is halted. So all that
// is known of one goal is a Call of its own, and what comes late finds it gone.
template<class T>
class ActionNode : public BT::StatefulActionNode
{
public:
  using Goal = typename T::Goal;
  using Result = typename T::Result;
  ActionNode(
    const std::string & name, const BT::NodeConfig & config,
    const std::shared_ptr<rclcpp::Node> & node)
  : BT::StatefulActionNode(name, config), node_(node), callbacks_(node) {}

  BT::NodeStatus onStart() final
  {
    if (!client_) {
      client_ = rclcpp_action::create_client<T>(
        node_, value_of<std::string>(*this, "action_name"), callbacks_.group);
    }
    call_ = std::make_shared<Call>();
    began_ = Clock::now();
    return onRunning();
  }

  BT::NodeStatus onRunning() final
  {
    if (!call_->sent && client_->action_server_is_ready()) {
      send();
    }
    callbacks_.take();
    if (call_->result) {
      return end(*call_->result);
    }
    const bool refused = call_->answered && !call_->handle;
    const bool late = !call_->answered && Clock::now() - began_ > std::chrono::seconds(3);
    if (late) {
      call_off();  // it may be taken yet
    }
    return refused || late ? end(Result()) : BT::NodeStatus::RUNNING;
  }

  // Waits for half a second at most until the goal is called off.
  void onHalted() final
  {
    call_off();
  }

protected:
  virtual void fill(Goal & goal) = 0;

  // Takes the result in; an empty one where the goal was refused. True for SUCCESS.
  virtual bool is_success(const Result & result) = 0;

private:
  using Clock = std::chrono::steady_clock;
  using Handle = rclcpp_action::ClientGoalHandle<T>;
  struct Call
  {
    bool sent = false, answered = false, cancel_answered = false;
    typename Handle::SharedPtr handle;
    std::shared_ptr<const Result> result;
  };

  void send()
  {
    Goal goal;
    fill(goal);
    typename rclcpp_action::Client<T>::SendGoalOptions options;
    const std::weak_ptr<Call> known = call_;
    options.goal_response_callback = [this, known](typename Handle::SharedPtr handle) {
        if (const auto call = known.lock()) {
          call->answered = true;
          call->handle = handle;
        } else if (handle) {
          cancel(handle);  // halted, and the answer took longer than anybody waited
        }
      };
    options.result_callback = [known](const typename Handle::WrappedResult & result) {
        if (const auto call = known.lock()) {
          call->result = result.result ? result.result : std::make_shared<Result>();
        }
      };
    call_->sent = true;
    client_->async_send_goal(goal, options);
  }

  void call_off()
  {
    const auto call = std::move(call_);
    if (!call || !call->sent || call->result || !rclcpp::ok()) {
      return;
    }
    bool cancelled = false;
    const auto over = [&] {
        if (call->handle && !call->result && !cancelled) {
          cancelled = true;
          cancel(call->handle, call);
        }
        return call->result || call->cancel_answered || (call->answered && !call->handle);
      };
    callbacks_.take_until(over, std::chrono::milliseconds(500));
  }

  void cancel(const typename Handle::SharedPtr & handle, const std::weak_ptr<Call> & known = {})
  {
    try {
      client_->async_cancel_goal(handle, [known](auto) {
          if (const auto call = known.lock()) {
            call->cancel_answered = true;
          }
        });
    } catch (const rclcpp_action::exceptions::UnknownGoalHandleError &) {
      // it is over
    }
  }

  BT::NodeStatus end(const Result & result)
  {
    return is_success(result) ? BT::NodeStatus::SUCCESS : BT::NodeStatus::FAILURE;
  }

  std::shared_ptr<rclcpp::Node> node_;
  Callbacks callbacks_;
  typename rclcpp_action::Client<T>::SharedPtr client_;
  std::shared_ptr<Call> call_;
  Clock::time_point began_{};
};

}  // namespace audio_interaction_bt
