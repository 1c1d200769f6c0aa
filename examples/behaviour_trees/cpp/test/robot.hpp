// What the tests share: a namespace that nobody else uses, and ticking until something is so.

#pragma once

#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <rclcpp/rclcpp.hpp>

#include "behaviortree_cpp/bt_factory.h"

// The namespace of this process: tests of two packages or two users may run at once.
inline std::string name_space()
{
  return "/tree_" + std::to_string(getpid());
}

// Ticks a tree and lets `beside` act until `wanted` is so; says what was awaited if it never is.
inline void tick_until(
  BT::Tree & tree, const std::string & what, const std::function<bool()> & wanted,
  const std::function<void()> & beside = [] {})
{
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!wanted()) {
    ASSERT_LT(std::chrono::steady_clock::now(), patience) << "never came: " << what;
    beside();
    tree.tickOnce();
    tree.sleep(std::chrono::milliseconds(20));
  }
}

// Starts ROS for one test program.
class Ros : public ::testing::Environment
{
public:
  void SetUp() override {rclcpp::init(0, nullptr);}
  void TearDown() override {rclcpp::shutdown();}
};

inline int run_tests(int argc, char ** argv)
{
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new Ros);
  return RUN_ALL_TESTS();
}
