import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.streaming.api.functions.sink.legacy.RichSinkFunction;

/** Drops records after folding their count and hash sum into the accumulators `count` and `hash`. */
final class DiscardFold<T> extends RichSinkFunction<T> {
  private long count;
  private long hash;
  private transient LongCounter countAccumulator;
  private transient LongCounter hashAccumulator;

  @Override
  public void open(OpenContext context) {
    countAccumulator = new LongCounter();
    hashAccumulator = new LongCounter();
    getRuntimeContext().addAccumulator("count", countAccumulator);
    getRuntimeContext().addAccumulator("hash", hashAccumulator);
  }

  @Override
  public void invoke(T value, Context context) {
    count++;
    hash += RecordHash.mixed(value);
  }

  @Override
  public void finish() {
    countAccumulator.add(count);
    hashAccumulator.add(hash);
  }
}
