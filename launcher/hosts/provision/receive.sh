# Takes an archive into npu-launch's folder of environments: sh -c ... sh FOLDER PART begin NAME
#                                                                         FOLDER PART append
#                                                                         FOLDER PART unpack SHA256 NEW
#                                                                         FOLDER PART drop NEW
# PART: the file that is filled; what an earlier push of the same environment left behind is taken up again.
set -u
umask 077
export LC_ALL=C
cd "$1" || exit
part=$2
case $3 in
  begin)
    [ -e "$part" ] || for left in ."$4".*.part; do
      [ -n "$(find "$left" -mmin +2 2>/dev/null)" ] && mv "$left" "$part" 2>/dev/null && break
    done
    [ -e "$part" ] || : >"$part" || exit
    wc -c <"$part"
    ;;
  append)
    cat >>"$part" || exit
    wc -c <"$part"
    ;;
  unpack)
    if command -v sha256sum >/dev/null 2>&1; then
      found=$(sha256sum "$part")
      [ "${found%% *}" = "$4" ] || { rm -f "$part"; echo "damaged"; exit 0; }
    fi
    mkdir "$5" || exit
    tar -xzof "$part" -C "$5" || { status=$?; rm -rf "$5" "$part"; exit "$status"; }
    rm -f "$part"
    echo "unpacked"
    ;;
  drop) rm -rf "$part" "$4" ;;
esac
