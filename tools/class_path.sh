# Sourced by bash scripts: class_path_folder FOLDER sets `folder` to a path of FOLDER for a class path. There a colon ends
# an entry, and nothing quotes it: a folder whose own path holds one is named as what it is open as, which the Java that
# the script becomes inherits. Processes that Java starts do not.

class_path_folder() {
  folder=$1
  if [[ $folder == *:* ]]; then
    local descriptor
    exec {descriptor}<"$folder"
    folder=/proc/self/fd/$descriptor
  fi
}
