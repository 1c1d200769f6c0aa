// What a server answers, taken in by whoever ticks, so that no executor needs to spin.

#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <rclcpp/rclcpp.hpp>

namespace audio_interaction_bt
{

class Callbacks
{
public:
  explicit Callbacks(const std::shared_ptr<rclcpp::Node> & node)
  : group(node->create_callback_group(rclcpp::CallbackGroupType::MutuallyExclusive, false))
  {
    executor_.add_callback_group(group, node->get_node_base_interface());
  }

  // Takes in what has come.
  void take()
  {
    executor_.spin_some();
  }

  // Takes in what comes until `done` is so; waits no longer than `patience`.
  void take_until(const std::function<bool()> & done, std::chrono::milliseconds patience)
  {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!done() && rclcpp::ok() && std::chrono::steady_clock::now() < end) {
      executor_.spin_once(std::chrono::milliseconds(10));
    }
  }

  // What clients are created with, whose answers come here.
  const rclcpp::CallbackGroup::SharedPtr group;

private:
  rclcpp::executors::SingleThreadedExecutor executor_;
};

}  // namespace audio_interaction_bt
