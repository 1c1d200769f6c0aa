"""
Lays the packages side by side, as ROS tools and reviewers expect them, and checks them.

    python scripts/lay_release.py OUT

In this repository the messages and the nodes for BehaviorTree.CPP lie inside the package that they
belong to, so that one checkout is all that a robot needs. A release repository must not have a
package inside a package. OUT gets a folder for each, of what git tracks, with licence and
changelog; their manifests are then read by catkin_pkg, which is what bloom and rosdep read them
with. ``colcon build --base-paths OUT`` builds them.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ['check_release', 'lay_release']

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {'audio_interaction_ros': '', 'audio_interaction_msgs': 'audio_interaction_msgs/',
            'audio_interaction_bt': 'examples/behaviour_trees/cpp/'}
"""Name of a package to its folder here; '' for all that is no other's."""
LEFT_OUT = ('.ci/', '.github/')
"""Of the repository, not of a package."""


def lay_release(out: Path) -> list[Path]:
    """
    Copy what git tracks into one folder per package below ``out``; return the folders.

    ValueError where ``out`` holds something already: nothing is ever written over.
    """
    if out.exists() and any(out.iterdir()):
        raise ValueError(f'{out}: expected no such folder or an empty one, found files in it; '
                         'name another')
    for name in _list_tracked():
        package, folder = max(((package, folder) for package, folder in PACKAGES.items()
                               if name.startswith(folder)), key=lambda pair: len(pair[1]))
        _copy(ROOT / name, out / package / name.removeprefix(folder))
    for package in PACKAGES:
        _copy(ROOT / 'LICENSE', out / package / 'LICENSE')
    return [out / package for package in PACKAGES]


def _list_tracked() -> list[str]:
    listed = subprocess.run(['git', '-C', str(ROOT), 'ls-files', '-z'], check=True,
                            stdout=subprocess.PIPE).stdout.decode()
    return [name for name in listed.split('\0') if name and not name.startswith(LEFT_OUT)]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def check_release(out: Path) -> list[str]:
    """Return what bloom or rosdep would refuse of the packages below ``out``; empty: nothing."""
    from catkin_pkg.changelog import get_changelog_from_path
    from catkin_pkg.package import InvalidPackage
    from catkin_pkg.packages import find_packages

    faults = []
    try:
        found = {package.name: (path, package) for path, package in
                 find_packages(str(out)).items()}
    except InvalidPackage as error:
        return [str(error)]
    if set(found) != set(PACKAGES):
        faults.append(f'expected packages {sorted(PACKAGES)}, found {sorted(found)}')
    if len({package.version for _, package in found.values()}) != 1:
        faults.append('expected one version, found '
                      + ', '.join(f'{name} {package.version}'
                                  for name, (_, package) in found.items()))
    for name, (path, package) in found.items():
        warnings: list[str] = []
        package.validate(warnings=warnings)
        changelog = get_changelog_from_path(str(out / path), package_name=name)
        # What catkin_tag_changelog turns into a version is none yet for catkin_pkg itself.
        told = changelog is not None and (
            '\nForthcoming\n---' in changelog.rst
            or package.version in [version for version, _, _ in changelog.foreach_version()])
        faults += [f'{name}: {warning}' for warning in warnings]
        faults += [] if told else [f'{name}: CHANGELOG.rst has neither a section '
                               f'Forthcoming nor {package.version}']
    return faults


def main() -> int:
    """Lay the packages and say what is wrong with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('out', type=Path, metavar='OUT')
    options = parser.parse_args()
    try:
        folders = lay_release(options.out)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    faults = check_release(options.out)
    for line in [f'laid {folder}' for folder in folders] + faults:
        print(line)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
