// Runs a tree of trees/: run_tree FILE.xml [--ros-args …]; Groot2 finds it on port 1667.

#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>

#include "audio_interaction_bt/nodes.hpp"
#include "behaviortree_cpp/loggers/groot2_publisher.h"

namespace
{

std::atomic<bool> stopped{false};

// What Groot2 looks at; nothing where the parameter is 0.
std::unique_ptr<BT::Groot2Publisher> publish(const BT::Tree & tree, rclcpp::Node & node)
{
  const auto port = node.declare_parameter<int>("groot_port", 1667);
  try {
    return port ? std::make_unique<BT::Groot2Publisher>(tree, port) : nullptr;
  } catch (const std::exception & error) {
    throw std::runtime_error(
            "ports " + std::to_string(port) + " and " + std::to_string(port + 1) +
            " are wanted for Groot2: " + error.what() +
            "; does another tree run? Name others with -p groot_port:=PORT, 0 for none");
  }
}

int run(const std::string & file)
{
  const auto node = std::make_shared<rclcpp::Node>("audio_interaction_tree");
  BT::BehaviorTreeFactory factory;
  audio_interaction_bt::register_nodes(factory, node);
  auto tree = factory.createTreeFromFile(file);
  const auto publisher = publish(tree, *node);
  while (rclcpp::ok() && !stopped) {
    tree.tickOnce();
    rclcpp::spin_some(node);
    tree.sleep(std::chrono::milliseconds(50));
  }
  tree.haltTree();  // what is being said or listened for is called off
  return 0;
}

}  // namespace

int main(int argc, char ** argv)
{
  const auto words = rclcpp::init_and_remove_ros_arguments(argc, argv);
  // rclcpp would shut down at once, and then nothing could be called off any more
  rclcpp::uninstall_signal_handlers();
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) {stopped = true;});
  }
  int code = 2;
  if (words.size() != 2) {
    std::cerr << "expected one file with a tree, got " << words.size() - 1 << " words\n";
  } else {
    try {
      code = run(words[1]);
    } catch (const std::exception & error) {
      std::cerr << words[1] << ": " << error.what() << "\n";
    }
  }
  rclcpp::shutdown();
  return code;
}
