/** The command line. */
module org.hast4j.cli {
  requires org.hast4j.quantize;
  requires com.fasterxml.jackson.databind;
  requires com.twelvemonkeys.imageio.jpeg;
  requires info.picocli;
  requires java.desktop;
  requires me.tongfei.progressbar;

  // picocli fills the commands by reflection.
  opens org.hast4j.cli to
      info.picocli;
}
