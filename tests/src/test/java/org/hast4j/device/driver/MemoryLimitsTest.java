package org.hast4j.device.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the CPU library finds of the limits that containers and batch schedulers set, in trees of
 * control groups as systems lay them out. The machine has 1000 bytes, of which 900 are available.
 */
class MemoryLimitsTest {
  private static final Path PROGRAM = Path.of("../native/target/cmake/hast_memory_limits");

  /** What version 1 says where there is no limit, on pages of 4 KiB. */
  private static final String NONE = "9223372036854771712";

  @TempDir private Path scratch;

  /** Bytes available, and in all. */
  private String limited(String... membership) throws IOException, InterruptedException {
    Path file = Files.write(scratch.resolve("membership"), List.of(membership));
    return run(file);
  }

  private String run(Path membership) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                PROGRAM.toString(), membership.toString(), tree().toString(), "900", "1000")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isZero();
    return out.strip();
  }

  private Path tree() {
    return scratch.resolve("tree");
  }

  private void write(String file, Object content) throws IOException {
    Path path = tree().resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, content + "\n");
  }

  private void version2(String group, Object max, Object high, int current, int inactive)
      throws IOException {
    write(group + "/memory.max", max);
    write(group + "/memory.high", high);
    write(group + "/memory.current", current);
    write(group + "/memory.stat", "anon 7\ninactive_file " + inactive + "\nactive_file 9");
  }

  private void version1(String group, Object limit, int usage, int inactive) throws IOException {
    write(group + "/memory.use_hierarchy", 1);
    write(group + "/memory.limit_in_bytes", limit);
    write(group + "/memory.usage_in_bytes", usage);
    write(
        group + "/memory.stat",
        "inactive_file 1\nhierarchical_memory_limit %s\ntotal_inactive_file %d"
            .formatted(NONE, inactive));
  }

  @Test
  void withoutGroupsTheMachineDecides() throws Exception {
    assertThat(run(scratch.resolve("none"))).isEqualTo("900 1000");
    assertThat(limited("0::/", "4:memory:/job")).isEqualTo("900 1000");
    assertThat(limited("", "nonsense", "1:memory")).isEqualTo("900 1000");
  }

  @Test
  void theProcessOwnGroupDecides() throws Exception {
    version2("job", 600, "max", 250, 50);
    assertThat(limited("0::/job")).isEqualTo("400 600");
  }

  /** As systemd does for a user, or a batch scheduler for a job of many steps. */
  @Test
  void anyGroupAboveDecides() throws Exception {
    version2("system", "max", "max", 900, 0);
    version2("system/job", 500, "max", 300, 100);
    version2("system/job/step", "max", "max", 200, 0);
    version2("system/job/step/task", 800, "max", 100, 0);
    assertThat(limited("0::/system/job/step/task")).isEqualTo("300 500");
    // A neighbour's limit is its own.
    version2("system/job/other", 10, "max", 10, 0);
    assertThat(limited("0::/system/job/step/task")).isEqualTo("300 500");
  }

  /** The limit that leaves least is not always the least limit. */
  @Test
  void eachNumberHasItsOwnLeast() throws Exception {
    version2("job", 800, "max", 790, 0);
    version2("job/step", 300, "max", 100, 0);
    assertThat(limited("0::/job/step")).isEqualTo("10 300");
  }

  @Test
  void whatSlowsAProcessDownLimitsIt() throws Exception {
    version2("job", 600, 400, 100, 0);
    assertThat(limited("0::/job")).isEqualTo("300 400");
  }

  @Test
  void fullGroupsLeaveNothing() throws Exception {
    version2("job", 600, "max", 700, 50);
    assertThat(limited("0::/job")).isEqualTo("0 600");
    version2("job", 0, "max", 0, 0);
    assertThat(limited("0::/job")).isEqualTo("0 0");
    // Numbers of different moments need not fit together.
    version2("job", 600, "max", 10, 50);
    assertThat(limited("0::/job")).isEqualTo("600 600");
  }

  @Test
  void aContainerSeesItsGroupAsTheRoot() throws Exception {
    version2(".", 600, "max", 200, 0);
    assertThat(limited("0::/")).isEqualTo("400 600");
  }

  /** With a tree of its own but the machine's names, as without a namespace of groups. */
  @Test
  void aContainerToldTheMachinesNamesFindsItsOwn() throws Exception {
    version2(".", 600, "max", 200, 0);
    assertThat(limited("0::/docker/0123abc")).isEqualTo("400 600");
    version2("inner", 300, "max", 100, 0);
    assertThat(limited("0::/docker/0123abc/inner")).isEqualTo("200 300");
  }

  /** Of a process that was moved out of what its namespace shows, only the root tells. */
  @Test
  void aGroupOutsideOfTheTreeIsNotLookedFor() throws Exception {
    version2(".", 600, "max", 200, 0);
    version2("other", 300, "max", 100, 0);
    assertThat(limited("0::/../other")).isEqualTo("400 600");
    version2("..other", 300, "max", 100, 0);
    assertThat(limited("0::/..other")).isEqualTo("200 300");
  }

  @Test
  void version1LimitsAnywhereToo() throws Exception {
    version1("memory", NONE, 950, 0);
    version1("memory/slurm", NONE, 900, 0);
    version1("memory/slurm/job_7", 500, 300, 100);
    version1("memory/slurm/job_7/step_0", NONE, 250, 0);
    assertThat(limited("5:cpuset:/slurm", "4:memory:/slurm/job_7/step_0", "1:name=systemd:/job_7"))
        .isEqualTo("300 500");
  }

  @Test
  void version1WithoutALimitHasNone() throws Exception {
    version1("memory", NONE, 950, 0);
    version1("memory/job", NONE, 950, 0);
    assertThat(limited("4:memory:/job")).isEqualTo("900 1000");
    // On pages of 64 KiB.
    version1("memory/job", "9223372036854710272", 950, 0);
    assertThat(limited("4:memory:/job")).isEqualTo("900 1000");
  }

  @Test
  void version1GroupsNeedNotLimitThoseBelow() throws Exception {
    version1("memory", NONE, 950, 0);
    version1("memory/job", 100, 50, 0);
    version1("memory/job/step", 400, 100, 0);
    write("memory/job/memory.use_hierarchy", 0);
    assertThat(limited("4:memory:/job/step")).isEqualTo("300 400");
  }

  /** A container sees its own group only, and in it what those above allow. */
  @Test
  void version1TellsOfLimitsAboveWhatIsMounted() throws Exception {
    version1("memory", NONE, 100, 0);
    write("memory/memory.stat", "hierarchical_memory_limit 700\ntotal_inactive_file 20");
    assertThat(limited("4:memory:/docker/0123abc")).isEqualTo("620 700");
  }

  @Test
  void controllersMayShareAFolder() throws Exception {
    version1("cpuset,memory/job", 500, 300, 0);
    assertThat(limited("4:cpuset,memory:/job")).isEqualTo("200 500");
    // Through a link with the name of each; and no controller but the memory's limits memory.
    version1("memory/job", 400, 300, 0);
    assertThat(limited("4:memory,cpu:/job")).isEqualTo("100 400");
    assertThat(limited("4:memoryless:/job")).isEqualTo("900 1000");
  }

  @Test
  void bothVersionsMayBeMounted() throws Exception {
    version1("memory/job", 500, 300, 0);
    write("unified/job/cgroup.procs", "");
    assertThat(limited("4:memory:/job", "0::/job")).isEqualTo("200 500");
    // The memory's controller may be version 2's.
    version2("unified/job", 300, "max", 200, 0);
    assertThat(limited("4:cpu:/", "0::/job")).isEqualTo("100 300");
  }
}
