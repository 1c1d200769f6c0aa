#!/usr/bin/env bash
# Source what the image has, then become the command, so that it gets the signals.
set -eo pipefail
for setup in "/opt/ros/${ROS_DISTRO:-}/setup.bash" "/opt/ros/${ROS_DISTRO:-}/install/setup.bash" \
    /opt/audio_interaction/install/setup.bash /opt/audio_interaction/scripts/env.sh; do
  # shellcheck disable=SC1090
  if [ -f "$setup" ]; then source "$setup"; fi
done
exec "$@"
