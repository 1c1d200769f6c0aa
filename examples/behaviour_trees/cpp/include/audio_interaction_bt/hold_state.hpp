// What is known of alerts/hold; it fails closed.

#pragma once

#include <chrono>
#include <optional>

namespace audio_interaction_bt
{

class HoldState
{
public:
  // Takes in the newest message since the last look, if one came; true while the robot must stand:
  // a message said so, or none came for silent_s seconds.
  bool look(const std::optional<bool> & said, double silent_s)
  {
    const auto now = Clock::now();
    const auto since = [now](const Clock::time_point & moment) {
        return std::chrono::duration<double>(now - moment).count();
      };
    if (said && since(looked_) <= silent_s) {  // what waited through a pause may be old
      held_ = *said;
      came_ = now;
    }
    looked_ = now;
    return held_ || since(came_) > silent_s;
  }

private:
  using Clock = std::chrono::steady_clock;

  bool held_ = true;
  Clock::time_point came_{}, looked_{};
};

}  // namespace audio_interaction_bt
