import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;

/** fromSequence, keyBy of K spread long keys, sums in event-time windows of a kind, discard. Arguments: records, parallelism, keys, kind. */
public final class Windows {
  public static void main(String[] args) throws Exception {
    long keys = Long.parseLong(args[2]);
    String kind = args[3];
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(Integer.parseInt(args[1]));
    env.fromSource(
            new NumberSequenceSource(1, Long.parseLong(args[0])),
            WatermarkStrategy.<Long>forMonotonousTimestamps().withTimestampAssigner((value, timestamp) -> timestampOf(kind, value)),
            "Sequence Source")
        .map(value -> Tuple2.of(Integer.toUnsignedLong(value.intValue() * 0x9e3779b1) % keys, value % 8))
        .returns(Types.TUPLE(Types.LONG, Types.LONG))
        .keyBy(value -> value.f0, Types.LONG)
        .window(assignerOf(kind))
        .sum(1)
        .addSink(new DiscardFold<>());
    env.execute("windows");
  }

  /** Ten records a millisecond for sessions, with a pause after each million that ends them; else a hundred. */
  private static long timestampOf(String kind, long value) {
    return kind.equals("session") ? value / 10 + value / 1_000_000 * 6000 : value / 100;
  }

  private static WindowAssigner<Object, TimeWindow> assignerOf(String kind) {
    switch (kind) {
      case "tumbling":
        return TumblingEventTimeWindows.of(Duration.ofSeconds(10));
      case "sliding":
        return SlidingEventTimeWindows.of(Duration.ofSeconds(60), Duration.ofSeconds(5));
      case "session":
        return EventTimeSessionWindows.withGap(Duration.ofSeconds(5));
      default:
        throw new IllegalArgumentException(kind);
    }
  }
}
