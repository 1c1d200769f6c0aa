// Runs a tree of trees/: run_tree FILE.xml [--ros-args …]; Groot2 finds it on port 1667.

#include <chrono>
#include <iostream>

#include "audio_interaction_bt/nodes.hpp"
#include "behaviortree_cpp/loggers/groot2_publisher.h"

int main(int argc, char ** argv)
{
  const auto words = rclcpp::init_and_remove_ros_arguments(argc, argv);
  if (words.size() != 2) {
    std::cerr << "expected one file with a tree, got " << words.size() - 1 << " words\n";
    return 2;
  }
  const auto node = std::make_shared<rclcpp::Node>("audio_interaction_tree");
  BT::BehaviorTreeFactory factory;
  audio_interaction_bt::register_nodes(factory, node);
  auto tree = factory.createTreeFromFile(words[1]);
  BT::Groot2Publisher publisher(tree);
  while (rclcpp::ok()) {
    tree.tickOnce();
    rclcpp::spin_some(node);
    tree.sleep(std::chrono::milliseconds(50));
  }
  tree.haltTree();
  rclcpp::shutdown();
  return 0;
}
