#!/usr/bin/env bash
# boot.sh ROOTFS WORK: boots the systemd of a root file system as process 1 of namespaces of its own, without a container
# engine. ROOTFS is not changed: what the system writes goes below WORK. Needs root. It ends when it is killed, and with it
# everything that it started.
set -euo pipefail
rootfs="$1" work="$2"

if [ "${3:-}" != inside ]; then
  # systemd manages the cgroups that it sees: a group of its own keeps it away from those of the host.
  unified="$(findmnt --noheadings --first-only --output TARGET --types cgroup2)"
  group="$unified/auraison-systemd-$$"
  mkdir "$group"
  echo "$group" >"$work/cgroup"
  echo $$ >"$group/cgroup.procs"
  exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child=KILL --propagation private \
    bash "$0" "$rootfs" "$work" inside
fi

root="$work/root"
mkdir -p "$root" "$work/upper" "$work/overlay"
# Below a file system of its own no overlay can be written: there the files are copied.
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$work/upper,workdir=$work/overlay" "$root" 2>/dev/null || {
  cp -a --reflink=auto "$rootfs/." "$root"
  mount --bind "$root" "$root"
}
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
# Packages to install, read-only.
mkdir -p "$root/packages"
[ ! -d "$work/packages" ] || mount --bind "$work/packages" "$root/packages"
hostname robot
cd "$root"
mkdir -p host
pivot_root . host
umount -l /host
# In a container systemd leaves this to the manager of the container; without it no service gets credentials.
mount --make-rshared /
export container=auraison-test
exec /lib/systemd/systemd --show-status=no </dev/null >/dev/null 2>&1
