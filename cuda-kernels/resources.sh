#!/usr/bin/env bash
# The registers, shared memory and spills of every kernel, as ptxas reported them when the library was built, beside the
# table resources.tsv that is checked in.
# usage: resources.sh <build folder> --check    fails if a kernel spills registers that the table does not say spills
#        resources.sh <build folder> --update   writes the table
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build_dir=$1
table=$source_dir/resources.tsv

# One line a kernel and architecture: file, kernel, architecture, registers, static shared bytes, spill bytes. A template's
# variants share a name here up to their arguments, which c++filt spells out; the file's own hash is left out.
measured() {
  find "$build_dir/nvcc" -name '*.resources' -print0 | sort -z | while IFS= read -r -d '' report; do
    file=$(basename "$report" .cu.o.resources)
    awk -v file="$file" '
      /Compiling entry function/ { split($0, part, "\x27"); kernel = part[2]; arch = part[4]; spill = 0 }
      /bytes spill stores/ { for (i = 1; i <= NF; i++) if ($i == "spill" && $(i + 1) ~ /stores/) spill = $(i - 2) }
      /Used [0-9]+ registers/ {
        registers = shared = 0
        for (i = 1; i <= NF; i++) {
          if ($(i + 1) ~ /^registers/) registers = $i
          if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
        }
        print file "\t" kernel "\t" arch "\t" registers "\t" shared "\t" spill
      }' "$report"
  done | c++filt | sed -e 's/(anonymous namespace):://g' -e 's/_GLOBAL__N__[0-9A-Za-z_]*:://g' -e 's/^\([^\t]*\tvoid \)/\1/' \
    -e 's/^\([^\t]*\t\)void /\1/' -e 's/^\([^\t]*\t[^\t]*\))(.*)\t/\1)\t/' | LC_ALL=C sort -u
}

case "${2:-}" in
  --update)
    {
      printf 'file\tkernel\tarchitecture\tregisters\tshared bytes\tspilled bytes\n'
      measured
    } >"$table"
    ;;
  --check)
    new=$(measured | awk -F '\t' -v table="$table" '
      BEGIN { while ((getline line < table) > 0) { split(line, f, "\t"); known[f[1] f[2] f[3]] = f[6] } }
      $6 > 0 && $6 > known[$1 $2 $3] + 0 { print "  " $1 ": " $2 " on " $3 " spills " $6 " bytes" }')
    if [[ -n $new ]]; then
      echo "kernels that spill registers and did not (cuda-kernels/resources.tsv):" >&2
      echo "$new" >&2
      exit 1
    fi
    ;;
  *)
    sed -n '4,5s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
