// A goal is called off whatever it is at in the moment in which its node is halted.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audio_interaction_bt/nodes.hpp"
#include "robot.hpp"

using namespace std::chrono_literals;
using Action = audio_interaction_msgs::action::Listen;
using Goal = std::shared_ptr<rclcpp_action::ServerGoalHandle<Action>>;

namespace
{

// Serves `listen`: takes its time to accept a goal, ends it at once or keeps it until cancelled.
class Listener
{
public:
  Listener(std::chrono::milliseconds delay, bool at_once)
  : node_(std::make_shared<rclcpp::Node>("listener", name_space()))
  {
    server_ = rclcpp_action::create_server<Action>(
      node_, "listen",
      [delay](const auto &, auto) {
        std::this_thread::sleep_for(delay);
        return rclcpp_action::GoalResponse::ACCEPT_AND_EXECUTE;
      },
      [this](Goal) {
        ++cancels;
        return rclcpp_action::CancelResponse::ACCEPT;
      },
      [this, at_once](Goal goal) {
        auto result = std::make_shared<Action::Result>();
        result->success = true;
        if (at_once) {
          goal->succeed(result);
        } else {
          kept_.push_back(goal);
        }
        ++goals;
      });
    timer_ = node_->create_wall_timer(10ms, [this] {end_cancelled();});
    executor_.add_node(node_);
    thread_ = std::thread([this] {executor_.spin();});
  }

  ~Listener()
  {
    executor_.cancel();
    thread_.join();
  }

  std::atomic<int> goals{0}, cancels{0}, ended{0};

private:
  void end_cancelled()
  {
    for (const auto & goal : kept_) {
      if (goal->is_canceling()) {
        goal->canceled(std::make_shared<Action::Result>());
        ++ended;
      }
    }
  }

  rclcpp::Node::SharedPtr node_;
  std::vector<Goal> kept_;
  rclcpp_action::Server<Action>::SharedPtr server_;
  rclcpp::TimerBase::SharedPtr timer_;
  rclcpp::executors::SingleThreadedExecutor executor_;
  std::thread thread_;
};

class Halting : public ::testing::Test
{
protected:
  void SetUp() override
  {
    audio_interaction_bt::register_nodes(factory, node);
    tree = factory.createTreeFromText(
      "<root BTCPP_format=\"4\"><BehaviorTree ID=\"Ask\"><Listen text=\"{answer}\"/>"
      "</BehaviorTree></root>");
  }

  std::shared_ptr<rclcpp::Node> node = std::make_shared<rclcpp::Node>("tree", name_space());
  BT::BehaviorTreeFactory factory;
  BT::Tree tree;
};

}  // namespace

TEST_F(Halting, AGoalThatIsUnderWayIsCalledOff)
{
  Listener listener(0ms, false);
  tick_until(tree, "it listens", [&] {return listener.goals == 1;});
  std::this_thread::sleep_for(100ms);
  tree.tickOnce();  // takes the acceptance in
  tree.haltTree();
  EXPECT_EQ(listener.cancels, 1);
}

TEST_F(Halting, AGoalThatIsNotAcceptedYetIsCalledOff)
{
  Listener listener(0ms, false);
  tick_until(tree, "it listens", [&] {return listener.goals == 1;});
  tree.haltTree();
  EXPECT_EQ(listener.cancels, 1);
  tick_until(tree, "it listens again", [&] {return listener.goals == 2;});
}

TEST_F(Halting, AGoalThatIsAcceptedAfterAllPatienceIsCalledOffAtTheNextTicks)
{
  Listener listener(1500ms, false);
  tick_until(tree, "it asks", [&] {
      return tree.rootNode()->status() == BT::NodeStatus::RUNNING;
    });
  tree.sleep(300ms);
  tree.tickOnce();
  tree.haltTree();
  EXPECT_EQ(listener.cancels, 0) << "it was accepted sooner than this test is about";
  tick_until(tree, "the old goal is called off", [&] {return listener.cancels == 1;});
}

TEST_F(Halting, AGoalThatIsOverIsNoFault)
{
  Listener listener(0ms, true);
  tick_until(tree, "it listens", [&] {return listener.goals == 1;});
  std::this_thread::sleep_for(200ms);  // the result waits, and nobody ticks
  EXPECT_NO_THROW(tree.haltTree());
  EXPECT_EQ(tree.tickWhileRunning(), BT::NodeStatus::SUCCESS);
}

TEST_F(Halting, NobodyToAskIsAFailure)
{
  EXPECT_EQ(tree.tickWhileRunning(), BT::NodeStatus::FAILURE);
  EXPECT_NO_THROW(tree.haltTree());
}

int main(int argc, char ** argv)
{
  return run_tests(argc, argv);
}
