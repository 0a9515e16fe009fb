#!/usr/bin/env bash
# The registers, shared memory and spills of every kernel, as ptxas reported them when the library was built, and its
# accesses of 16 and of 4 bytes in the assembly, beside the table resources.tsv that is checked in.
# usage: resources.sh <build folder> --check    fails if a kernel spills registers or takes wide accesses apart, and the table does not say so
#        resources.sh <build folder> --update   writes the table
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build_dir=$1
table=$source_dir/resources.tsv

# One line a kernel and architecture, with the columns of the table. A template's variants share a name here up to their
# arguments, which c++filt spells out; the file's own hash is left out.
measured() {
  find "$build_dir/nvcc" -name '*.resources' -print0 | sort -z | while IFS= read -r -d '' report; do
    file=$(basename "$report" .cu.o.resources)
    awk -v file="$file" '
      /^accesses / { accesses[$2 " " $3] = $4 "\t" $5 "\t" $6 "\t" $7; next }
      /Compiling entry function/ { split($0, part, "\x27"); kernel = part[2]; arch = part[4]; spill = 0 }
      /bytes spill stores/ { for (i = 1; i <= NF; i++) if ($i == "spill" && $(i + 1) ~ /stores/) spill = $(i - 2) }
      /Used [0-9]+ registers/ {
        registers = shared = 0
        for (i = 1; i <= NF; i++) {
          if ($(i + 1) ~ /^registers/) registers = $i
          if ($(i + 1) == "bytes" && $(i + 2) ~ /^smem/) shared = $i
        }
        line[++lines] = file "\t" kernel "\t" arch "\t" registers "\t" shared "\t" spill
        key[lines] = kernel " " arch
      }
      END { for (i = 1; i <= lines; i++) print line[i] "\t" accesses[key[i]] }' "$report"
  done | c++filt | sed -e 's/(anonymous namespace):://g' -e 's/_GLOBAL__N__[0-9A-Za-z_]*:://g' -e 's/^\([^\t]*\tvoid \)/\1/' \
    -e 's/^\([^\t]*\t\)void /\1/' -e 's/^\([^\t]*\t[^\t]*\))(.*)\t/\1)\t/' | LC_ALL=C sort -u
}

case "${2:-}" in
  --update)
    {
      printf 'file\tkernel\tarchitecture\tregisters\tshared bytes\tspilled bytes\t'
      printf '16 bytes global\t4 bytes global\t16 bytes shared\t4 bytes shared\n'
      measured
    } >"$table"
    ;;
  --check)
    new=$(measured | awk -F '\t' -v table="$table" '
      BEGIN {
        while ((getline line < table) > 0) {
          split(line, f, "\t")
          name = f[1] f[2] f[3]
          spilled[name] = f[6]
          for (i = 7; i <= 10; i++) accesses[name, i] = f[i]
        }
      }
      { name = $1 $2 $3; kernel = "  " $1 ": " $2 " on " $3 }
      $6 > 0 && $6 > spilled[name] + 0 { print kernel " spills " $6 " bytes" }
      name in spilled {
        for (i = 7; i <= 9; i += 2) {
          if ($i < accesses[name, i] && $(i + 1) > accesses[name, i + 1]) {
            print kernel " takes accesses of 16 bytes of " (i == 7 ? "global" : "shared") " memory apart"
          }
        }
      }')
    if [[ -n $new ]]; then
      echo "kernels that do what they did not (cuda-kernels/resources.tsv):" >&2
      echo "$new" >&2
      exit 1
    fi
    ;;
  *)
    sed -n '4,5s/^# //p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
