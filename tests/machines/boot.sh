#!/bin/bash
# The first process of a machine: makes its file system, which is this machine's with every change kept apart in memory.
# boot.sh FOLDER NAME SIZE PYTHON sshd|- FILES...: what is in the folders FILES lies over the root, the last on top; the
# interpreter in the folder PYTHON is there too, wherever it lies. FOLDER/shared says what it shares with others: a path of
# its own and a folder of this machine on each line.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
folder=$1 name=$2 size=$3 python=$4 service=$5
root=$folder/root

hostname "$name"
mount -t tmpfs -o "size=$size,mode=0755" tmpfs "$folder/disk"
mkdir "$folder/disk/upper" "$folder/disk/work"
for files in "${@:6}"; do cp -a "$files/." "$folder/disk/upper/"; done
mount -t overlay -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
  : > "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=0700 tmpfs "$root/root"
cp -a "$folder/home/." "$root/root/"
if [[ ! -e $root$python ]]; then
  mkdir -p "$root$python"
  mount --bind "$python" "$root$python"
fi
while read -r target source; do
  mkdir -p "$root$target"
  mount --bind "$source" "$root$target"
done < "$folder/shared"
rm -rf "$root"/tmp/npu-launch-* 2> /dev/null || true  # what this machine's own runs have there may change meanwhile
mkdir -p "$root/run/sshd"

# bash, and not sshd, is the first process: whatever loses its parent has to be waited for. SIGTERM ends nothing here.
exec chroot "$root" /bin/bash -c '
  [[ "$1" != sshd ]] || /usr/sbin/sshd -E /run/sshd.log
  : > /run/booted
  while :; do sleep 86400 & wait; done
' "$name" "$service"
