# Sourced by bash scripts: find_jdk prints the home of the first JDK new enough for hast4j, or explains and fails.

readonly required_java=25

# Reads the version from the file `release` that every JDK carries: starting each java to ask it costs 50 ms.
java_feature_version() {
  local line
  [[ -x $1/bin/java && -r $1/release ]] || return 1
  while IFS= read -r line; do
    if [[ $line =~ ^JAVA_VERSION=\"([0-9]+) ]]; then
      echo "${BASH_REMATCH[1]}"
      return
    fi
  done <"$1/release"
  return 1
}

find_jdk() {
  local candidates=() home version seen="" on_path
  [[ -n ${JAVA_HOME:-} ]] && candidates+=("$JAVA_HOME")
  if on_path=$(command -v java); then
    on_path=$(readlink -f "$on_path")
    candidates+=("${on_path%/bin/java}")
  fi
  local user_home=${HOME:-/nonexistent}
  candidates+=(/usr/lib/jvm/* "$user_home"/.sdkman/candidates/java/* "$user_home"/.jdks/* /opt/jdk* /opt/java/*)
  if [[ -r $user_home/.m2/toolchains.xml ]]; then
    while IFS= read -r home; do
      candidates+=("$home")
    done < <(sed -n 's:.*<jdkHome>[[:space:]]*\([^<[:space:]]*\)[[:space:]]*</jdkHome>.*:\1:p' "$user_home/.m2/toolchains.xml")
  fi
  candidates+=(/Library/Java/JavaVirtualMachines/*/Contents/Home)
  for home in "${candidates[@]}"; do
    version=$(java_feature_version "$home") || continue
    if ((version >= required_java)); then
      echo "$home"
      return
    fi
    seen+="${seen:+, }$version at $home"
  done
  {
    echo "hast4j needs JDK $required_java or newer and found none${seen:+ (found: $seen)}."
    echo "Install one (https://adoptium.net/temurin/releases/?version=$required_java) or point JAVA_HOME at it."
  } >&2
  return 1
}
