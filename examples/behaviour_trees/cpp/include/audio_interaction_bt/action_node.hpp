// A goal of an action: RUNNING until its result comes, called off where the node is halted.

#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <rclcpp_action/rclcpp_action.hpp>

#include "audio_interaction_bt/client_node.hpp"
#include "audio_interaction_bt/ports.hpp"

namespace audio_interaction_bt
{

// What is known of one goal.
//
// A goal can be over, or not answered yet, at the moment in which its node is halted. So each has
// one of its own, and what comes late finds it gone.
template<class T>
struct GoalCall
{
  bool answered = false, cancel_answered = false;
  typename rclcpp_action::ClientGoalHandle<T>::SharedPtr handle;
  std::shared_ptr<const typename T::Result> result;
};

// Sends a goal to the action of its port action_name; FAILURE where nobody takes it within 3 s.
template<class T>
class ActionNode : public ClientNode<rclcpp_action::Client<T>, GoalCall<T>>
{
public:
  using Goal = typename T::Goal;
  using Result = typename T::Result;
  using ActionNode::ClientNode::ClientNode;

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
  using Client = rclcpp_action::Client<T>;
  using Call = GoalCall<T>;
  using Handle = rclcpp_action::ClientGoalHandle<T>;

  std::shared_ptr<Client> connect() final
  {
    return rclcpp_action::create_client<T>(
      this->node_, value_of<std::string>(*this, "action_name"), this->callbacks_.group);
  }

  bool is_served() const final
  {
    return this->client_->action_server_is_ready();
  }

  std::shared_ptr<Call> ask() final
  {
    Goal goal;
    fill(goal);
    const auto call = std::make_shared<Call>();
    typename Client::SendGoalOptions options;
    const std::weak_ptr<Call> known = call;
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
    this->client_->async_send_goal(goal, options);
    return call;
  }

  BT::NodeStatus look() final
  {
    const auto & call = this->call_;
    if (call && call->result) {
      return end(*call->result);
    }
    const bool answered = call && call->answered;
    if (answered ? !call->handle : this->is_late()) {  // refused, or nobody took it
      call_off();  // it may be taken yet
      return end(Result());
    }
    return BT::NodeStatus::RUNNING;
  }

  BT::NodeStatus end(const Result & result)
  {
    return is_success(result) ? BT::NodeStatus::SUCCESS : BT::NodeStatus::FAILURE;
  }

  void call_off()
  {
    const auto call = std::move(this->call_);
    if (!call || call->result || !rclcpp::ok()) {
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
    this->callbacks_.take_until(over, std::chrono::milliseconds(500));
  }

  void cancel(const typename Handle::SharedPtr & handle, const std::weak_ptr<Call> & known = {})
  {
    try {
      this->client_->async_cancel_goal(handle, [known](auto) {
          if (const auto call = known.lock()) {
            call->cancel_answered = true;
          }
        });
    } catch (const rclcpp_action::exceptions::UnknownGoalHandleError &) {
      // it is over
    }
  }
};

}  // namespace audio_interaction_bt
