import java.util.Arrays;
import org.apache.flink.api.java.tuple.Tuple;

/**
 * Hash of one record, equal to src/graph/record-hash.ts: Java's hashCode of the value, a tuple as
 * the 31-fold of its fields, finished by murmur3's fmix32. Sums of the unsigned results compare outputs
 * as multisets.
 */
final class RecordHash {
  private RecordHash() {}

  static long mixed(Object record) {
    int hash = hash(record);
    hash ^= hash >>> 16;
    hash *= 0x85ebca6b;
    hash ^= hash >>> 13;
    hash *= 0xc2b2ae35;
    hash ^= hash >>> 16;
    return Integer.toUnsignedLong(hash);
  }

  private static int hash(Object value) {
    if (value instanceof Tuple tuple) {
      int hash = 1;
      for (int i = 0; i < tuple.getArity(); i++) hash = 31 * hash + hash(tuple.getField(i));
      return hash;
    }
    if (value instanceof Object[] array) return Arrays.hashCode(array);
    if (value instanceof Integer number) return Long.hashCode(number);
    return value == null ? 0 : value.hashCode();
  }
}
