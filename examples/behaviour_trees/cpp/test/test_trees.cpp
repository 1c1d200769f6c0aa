// The trees with the nodes of this package, beside stand-ins for the assistant's other end.

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "audio_interaction_bt/nodes.hpp"
#include "robot.hpp"

using audio_interaction_msgs::msg::Alert;
using audio_interaction_msgs::msg::AlertArray;
using audio_interaction_msgs::msg::Reply;
using audio_interaction_msgs::msg::SoundEvent;
using std_msgs::msg::Bool;
using SayAction = audio_interaction_msgs::action::Say;
using ListenAction = audio_interaction_msgs::action::Listen;
using Acknowledgement = audio_interaction_msgs::srv::AcknowledgeAlert;

namespace
{

const std::string trees = TREES;

// Serves an action by answering each goal at once.
template<class Action>
auto serve(
  rclcpp::Node & node, const std::string & name,
  std::function<std::shared_ptr<typename Action::Result>(const typename Action::Goal &)> answer)
{
  using Handle = std::shared_ptr<rclcpp_action::ServerGoalHandle<Action>>;
  return rclcpp_action::create_server<Action>(
    &node, name,
    [](const auto &, auto) {return rclcpp_action::GoalResponse::ACCEPT_AND_EXECUTE;},
    [](Handle) {return rclcpp_action::CancelResponse::ACCEPT;},
    [answer](Handle goal) {goal->succeed(answer(*goal->get_goal()));});
}

// The other end of every topic, service and action; its own thread answers.
class Assistant
{
public:
  Assistant()
  : node(std::make_shared<rclcpp::Node>("assistant", name_space())),
    hold(node->create_publisher<Bool>("alerts/hold", 1)),
    active(node->create_publisher<AlertArray>(
        "alerts/active", rclcpp::QoS(1).transient_local())),
    replies(node->create_publisher<Reply>("reply", 50)),
    sounds(node->create_publisher<SoundEvent>("sounds", 50))
  {
    wheels_ = node->create_subscription<geometry_msgs::msg::Twist>(
      "cmd_vel", 10, [this](const geometry_msgs::msg::Twist &) {++stops;});
    service_ = node->create_service<Acknowledgement>(
      "alerts/acknowledge",
      [this](Acknowledgement::Request::SharedPtr request,
      Acknowledgement::Response::SharedPtr response) {
        std::lock_guard<std::mutex> lock(mutex_);
        acknowledged_ = request->response;
        held = false;
        response->success = true;
      });
    say_ = serve<SayAction>(*node, "say", [this](const SayAction::Goal & goal) {
          std::lock_guard<std::mutex> lock(mutex_);
          said_.push_back(goal.text);
          auto result = std::make_shared<SayAction::Result>();
          result->success = true;
          return result;
        });
    listen_ = serve<ListenAction>(*node, "listen", [this](const ListenAction::Goal &) {
          auto result = std::make_shared<ListenAction::Result>();
          result->success = true;
          result->transcript.text = ++questions == 1 ? "No, there is smoke" : "Yes, it is okay";
          return result;
        });
    executor_.add_node(node);
    thread_ = std::thread([this] {executor_.spin();});
  }

  ~Assistant()
  {
    executor_.cancel();
    thread_.join();
  }

  // Publishes what the decoder repeats: whether the robot must stand, and the open alerts.
  void repeat()
  {
    Bool flag;
    flag.data = held;
    hold->publish(flag);
    AlertArray alerts;
    if (held) {
      alerts.alerts.resize(1);
      alerts.alerts[0].severity = Alert::CRITICAL;
      alerts.alerts[0].label = "smoke_alarm";
      alerts.alerts[0].message = "A smoke alarm is sounding.";
    }
    active->publish(alerts);
  }

  std::vector<std::string> said()
  {
    std::lock_guard<std::mutex> lock(mutex_);
    return said_;
  }

  std::string acknowledged()
  {
    std::lock_guard<std::mutex> lock(mutex_);
    return acknowledged_;
  }

  std::shared_ptr<rclcpp::Node> node;
  rclcpp::Publisher<Bool>::SharedPtr hold;
  rclcpp::Publisher<AlertArray>::SharedPtr active;
  rclcpp::Publisher<Reply>::SharedPtr replies;
  rclcpp::Publisher<SoundEvent>::SharedPtr sounds;
  std::atomic<bool> held{false};
  std::atomic<int> stops{0}, questions{0};

private:
  std::mutex mutex_;
  std::vector<std::string> said_;
  std::string acknowledged_;
  rclcpp::Subscription<geometry_msgs::msg::Twist>::SharedPtr wheels_;
  rclcpp::Service<Acknowledgement>::SharedPtr service_;
  rclcpp_action::Server<SayAction>::SharedPtr say_;
  rclcpp_action::Server<ListenAction>::SharedPtr listen_;
  rclcpp::executors::SingleThreadedExecutor executor_;
  std::thread thread_;
};

class Trees : public ::testing::Test
{
protected:
  BT::Tree load(const std::string & file)
  {
    audio_interaction_bt::register_nodes(factory, node);
    return factory.createTreeFromFile(trees + "/" + file);
  }

  static bool runs(const BT::Tree & tree, const std::string & name)
  {
    for (const auto & subtree : tree.subtrees) {
      for (const auto & one : subtree->nodes) {
        if (one->name() == name) {
          return one->status() == BT::NodeStatus::RUNNING;
        }
      }
    }
    ADD_FAILURE() << "no node is called " << name;
    return false;
  }

  Assistant assistant;
  std::shared_ptr<rclcpp::Node> node = std::make_shared<rclcpp::Node>("tree", name_space());
  BT::BehaviorTreeFactory factory;
};

Reply order(const std::string & intent, const std::string & place)
{
  Reply reply;
  reply.is_final = true;
  reply.intent = intent;
  reply.slot_names = {"place"};
  reply.slot_values = {place};
  return reply;
}

}  // namespace

TEST_F(Trees, StandsAsksAgainAfterANoAcknowledgesAYesAndWorksOn)
{
  auto tree = load("stop_and_ask.xml");
  const auto repeat = [&] {assistant.repeat();};
  tick_until(tree, "it stands while nobody hears", [&] {return assistant.stops > 0;});
  EXPECT_TRUE(assistant.said().empty()) << "it asks about an alert that there is not";
  tick_until(tree, "it works", [&] {return runs(tree, "work");}, repeat);
  assistant.stops = 0;
  assistant.held = true;
  tick_until(tree, "acknowledged", [&] {return !assistant.acknowledged().empty();}, repeat);
  EXPECT_EQ(assistant.acknowledged(), "Yes, it is okay");
  EXPECT_EQ(assistant.questions, 2);
  EXPECT_GT(assistant.stops, 0);
  ASSERT_GE(assistant.said().size(), 4u);
  EXPECT_EQ(assistant.said()[0], "A smoke alarm is sounding.");
  tick_until(tree, "it works on", [&] {return runs(tree, "work");}, repeat);
}

TEST_F(Trees, GoesWhereItIsToldStopsAtOnceAndTellsOfTheDoor)
{
  auto tree = load("follow_intent.xml");
  const auto said = [&](const std::string & text) {
      return [this, text] {
               const auto all = assistant.said();
               return std::find(all.begin(), all.end(), text) != all.end();
             };
    };
  const auto waits = [&] {return runs(tree, "wait");};
  const auto met = [&] {
      return assistant.replies->get_subscription_count() == 2 &&
             assistant.sounds->get_subscription_count() == 1;
    };
  tick_until(tree, "it listens to orders and sounds", met);
  assistant.replies->publish(order("go", "kitchen"));
  tick_until(tree, "it goes to the kitchen", said("kitchen"));
  tick_until(tree, "it is there", waits);
  assistant.replies->publish(order("stop", ""));
  tick_until(tree, "it stops", said("I have stopped."));
  EXPECT_GT(assistant.stops, 0);
  tick_until(tree, "it stands", waits);
  for (const auto sound : {"doorbell", "dog"}) {
    SoundEvent event;
    event.sound = sound;
    event.state = SoundEvent::STARTED;
    assistant.sounds->publish(event);
  }
  tick_until(tree, "it tells of the door", said("Somebody is at the door."));
}

TEST_F(Trees, ThePaletteOfGrootHasThePortsOfTheNodes)
{
  audio_interaction_bt::register_nodes(factory, node);
  std::ifstream file(trees + "/audio_interaction.btproj");
  const std::string project{std::istreambuf_iterator<char>(file), {}};
  for (const auto & [name, manifest] : factory.manifests()) {
    if (factory.builtinNodes().count(name)) {
      continue;
    }
    const auto type = BT::toStr(manifest.type);
    const auto begin = project.find("<" + type + " ID=\"" + name + "\"");
    ASSERT_NE(begin, std::string::npos) << type << " " << name << " is not in the palette";
    const auto model = project.substr(begin, project.find("</" + type + ">", begin) - begin);
    for (const auto & [port, info] : manifest.ports) {
      std::string line = info.direction() == BT::PortDirection::INPUT ? "<input" : "<output";
      line += "_port name=\"" + port + "\" type=\"" + info.typeName() + "\"";
      const auto value = info.defaultValueString();
      if (!value.empty() && value != "__default__placeholder__") {
        line += " default=\"" + value + "\"";
      }
      EXPECT_NE(model.find(line + ">"), std::string::npos) << name << " lacks " << line;
    }
  }
}

TEST(Words, SemicolonsDivideAListAndAnEmptyOneHoldsAll)
{
  EXPECT_TRUE(audio_interaction_bt::lists("", "go"));
  EXPECT_TRUE(audio_interaction_bt::lists("go;come_back", "come_back"));
  EXPECT_FALSE(audio_interaction_bt::lists("go;come_back", "come"));
}

int main(int argc, char ** argv)
{
  return run_tests(argc, argv);
}
