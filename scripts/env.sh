# Source this (bash or zsh) to run the project from a shell: ROS 2, the messages and Python.
#   . scripts/env.sh
# Set up by scripts/setup_environment.sh; says so when that has not been run.

if [ -n "${BASH_SOURCE:-}" ]; then _air_file="${BASH_SOURCE[0]}"; else _air_file="$0"; fi
_air_root="$(cd "$(dirname "$_air_file")/.." && pwd)"

_air_prepend() {  # name of a path variable, folder: put it in front once
  eval "_air_old=\${$1:-}"
  case ":$_air_old:" in
    *":$2:"*) ;;
    *) eval "export $1=\"\$2\${_air_old:+:\$_air_old}\"" ;;
  esac
}

if [ ! -x "$_air_root/.venv/bin/python" ]; then
  echo "env.sh: no environment at $_air_root/.venv; run 'make setup' first" >&2
else
  export VIRTUAL_ENV="$_air_root/.venv"
  _air_prepend PATH "$VIRTUAL_ENV/bin"
  if [ -z "${ROS_DISTRO:-}" ]; then
    # The ROS 2 wheels install their CMake files, libraries and index under the environment.
    _air_prepend AMENT_PREFIX_PATH "$VIRTUAL_ENV"
    _air_prepend CMAKE_PREFIX_PATH "$VIRTUAL_ENV"
    _air_prepend LD_LIBRARY_PATH "$VIRTUAL_ENV/lib"
  fi
  # Both packages when both are built; the node code itself is imported from the checkout.
  for _air_package in "$_air_root"/install/audio_interaction_msgs "$_air_root"/install/audio_interaction_ros; do
    [ -d "$_air_package" ] || continue
    _air_prepend AMENT_PREFIX_PATH "$_air_package"
    _air_prepend CMAKE_PREFIX_PATH "$_air_package"
    [ -d "$_air_package/lib" ] && _air_prepend LD_LIBRARY_PATH "$_air_package/lib"
    for _air_python in "$_air_package"/lib/python3*/site-packages \
        "$_air_package"/local/lib/python3*/dist-packages; do
      [ -d "$_air_python" ] && _air_prepend PYTHONPATH "$_air_python"
    done
  done
  _air_prepend PYTHONPATH "$_air_root"
fi
# Nobody else in the network shall hear this microphone, unless somebody said so. Humble knows
# ROS_LOCALHOST_ONLY only, Kilted and later do not know it; so what one says is said in the other.
# The launch file does the same.
if [ "${ROS_DISTRO:-}" = humble ]; then
  case "${ROS_LOCALHOST_ONLY:-}${ROS_AUTOMATIC_DISCOVERY_RANGE:-}" in
    ''|LOCALHOST|OFF) export ROS_LOCALHOST_ONLY=1 ;;
  esac
elif [ -z "${ROS_AUTOMATIC_DISCOVERY_RANGE:-}" ] && [ "${ROS_LOCALHOST_ONLY:-}" != 0 ]; then
  export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
fi
unset -f _air_prepend
unset _air_file _air_root _air_old _air_package _air_python
