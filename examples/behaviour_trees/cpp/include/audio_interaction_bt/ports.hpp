// Ports of a node: their values, and what they may hold.

#pragma once

#include <string>

#include "behaviortree_cpp/tree_node.h"

namespace audio_interaction_bt
{

// True where a list with semicolons between names this one, or is empty.
bool lists(const std::string & names, const std::string & one);

// The value of a port; throws BT::RuntimeError where it has none, or one of another type.
template<class T>
T value_of(const BT::TreeNode & node, const std::string & port)
{
  T value{};
  if (const auto found = node.getInput(port, value); !found) {
    throw BT::RuntimeError(node.name() + ": " + port + ": " + found.error());
  }
  return value;
}

}  // namespace audio_interaction_bt
