import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;

/** Flink's shipped WordCount with a folding sink; a line's timestamp is its length. Arguments: input path, parallelism. */
public final class WordCount {
  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(Integer.parseInt(args[1]));
    env.fromSource(
            FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(args[0])).build(),
            WatermarkStrategy.<String>noWatermarks().withTimestampAssigner((line, timestamp) -> line.length()),
            "file-input")
        .flatMap(new Tokenizer())
        .name("tokenizer")
        .keyBy(value -> value.f0)
        .sum(1)
        .name("counter")
        .addSink(new DiscardFold<>());
    env.execute("WordCount");
  }

  private static final class Tokenizer implements FlatMapFunction<String, Tuple2<String, Integer>> {
    @Override
    public void flatMap(String value, Collector<Tuple2<String, Integer>> out) {
      for (String token : value.toLowerCase().split("\\W+")) {
        if (token.length() > 0) out.collect(new Tuple2<>(token, 1));
      }
    }
  }
}
