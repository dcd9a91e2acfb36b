import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** fromSequence, map, filter, map, discard. Arguments: records, parallelism. */
public final class Chain {
  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(Integer.parseInt(args[1]));
    env.fromSource(
            new NumberSequenceSource(1, Long.parseLong(args[0])),
            WatermarkStrategy.<Long>noWatermarks().withTimestampAssigner((value, timestamp) -> value),
            "Sequence Source")
        .map(value -> value + 1).returns(Types.LONG)
        .filter(value -> value % 3 != 0)
        .map(value -> value * 2).returns(Types.LONG)
        .addSink(new DiscardFold<>());
    env.execute("chain");
  }
}
