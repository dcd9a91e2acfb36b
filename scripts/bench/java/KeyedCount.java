import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** fromSequence, keyBy of K spread long keys, running count per key, discard. Arguments: records, parallelism, keys. */
public final class KeyedCount {
  public static void main(String[] args) throws Exception {
    long keys = Long.parseLong(args[2]);
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.setParallelism(Integer.parseInt(args[1]));
    env.fromSource(
            new NumberSequenceSource(1, Long.parseLong(args[0])),
            WatermarkStrategy.<Long>noWatermarks().withTimestampAssigner((value, timestamp) -> value),
            "Sequence Source")
        .keyBy(value -> Integer.toUnsignedLong(value.intValue() * 0x9e3779b1) % keys, Types.LONG)
        .process(new RunningCount())
        .addSink(new DiscardFold<>());
    env.execute("keyed-count");
  }

  private static final class RunningCount extends KeyedProcessFunction<Long, Long, Tuple2<Long, Long>> {
    private transient ValueState<Long> count;

    @Override
    public void open(OpenContext context) {
      count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
    }

    @Override
    public void processElement(Long value, Context context, Collector<Tuple2<Long, Long>> out) throws Exception {
      Long before = count.value();
      long now = before == null ? 1 : before + 1;
      count.update(now);
      out.collect(Tuple2.of(context.getCurrentKey(), now));
    }
  }
}
