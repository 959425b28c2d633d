// Values of our types that live in memory while an aggregate or expression works on them, as
// PostgreSQL's expanded objects: read from the stored bytes once, changed in place, flattened once.
// So every aggregate has a concrete state type and still no copy per row.
//
// T needs: explicit T(std::pmr::memory_resource*), void write(Bytes&) const,
// static T read(std::span<const std::uint8_t>, std::pmr::memory_resource*). T must own nothing but
// memory of that resource: its destructor is never run, the context takes everything.
#pragma once

#include <array>

#include "core/bytes.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

template <typename T>
class Expanded {
 public:
  // A value in a context below `parent`, to be changed in place.
  static Expanded* make(MemoryContext parent) {
    return build(parent, [](std::pmr::memory_resource* resource) { return T(resource); });
  }

  static Expanded* read(MemoryContext parent, std::span<const std::uint8_t> bytes) {
    return build(parent,
                 [&](std::pmr::memory_resource* resource) { return T::read(bytes, resource); });
  }

  // The object behind a datum of type T, or null when the datum is flat.
  static Expanded* of(Datum value) {
    if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(value))) return nullptr;
    varatt_expanded pointer;  // what DatumGetEOHP reads, without the call
    std::memcpy(&pointer, VARDATA_EXTERNAL(DatumGetPointer(value)), sizeof(pointer));
    auto* header = pointer.eohptr;
    return header->eoh_methods == &kMethods ? reinterpret_cast<Expanded*>(header) : nullptr;
  }

  T& value() { return value_; }
  Datum datum() { return EOHPGetRWDatum(&header_); }

  // The value that make_value(resource) gives. All values below one parent share a context: with
  // one for each, a hash aggregate, which adds up its contexts with every new group, would take
  // quadratic time. PostgreSQL deletes a value's context alone only when a step function returns
  // another value than its state, and ours never do.
  template <typename Make>
  static Expanded* build(MemoryContext parent, Make&& make_value) {
    const MemoryContext context = values_below(parent);
    ContextResource resource(context);
    void* memory = resource.allocate(sizeof(Expanded), alignof(Expanded));
    return new (memory) Expanded(context, make_value);
  }

 private:
  template <typename Make>
  Expanded(MemoryContext context, Make&& make_value)
      : resource_(context), value_(make_value(&resource_)), flat_(&resource_) {
    EOH_init_header(&header_, &kMethods, context);
  }

  static MemoryContext values_below(MemoryContext parent) {
    static constexpr const char* kName = "pg_vigil values";
    for (MemoryContext child = parent->firstchild; child != nullptr; child = child->nextchild)
      if (std::string_view(child->name) == kName) return child;
    // A small first block, as there may be one small value; the next ones grow.
    return call([&] {
      return AllocSetContextCreate(parent, "pg_vigil values", ALLOCSET_SMALL_MINSIZE,
                                   ALLOCSET_SMALL_INITSIZE, ALLOCSET_DEFAULT_MAXSIZE);
    });
  }

  static Size flat_size(ExpandedObjectHeader* header) {
    auto* self = reinterpret_cast<Expanded*>(header);
    return entry([&]() -> Size {
      self->flat_.clear();
      self->value_.write(self->flat_);
      if (self->flat_.size() > MaxAllocSize - VARHDRSZ)
        throw Error(Code::kLimitExceeded, "value is too large to be stored");
      return VARHDRSZ + self->flat_.size();
    });
  }

  static void flatten(ExpandedObjectHeader* header, void* result, Size size) {
    auto* self = reinterpret_cast<Expanded*>(header);
    SET_VARSIZE(result, size);
    std::memcpy(VARDATA(result), self->flat_.data(), self->flat_.size());
  }

  static constexpr ExpandedObjectMethods kMethods = {flat_size, flatten};

  ExpandedObjectHeader header_;  // must stay first: PostgreSQL points at it
  ContextResource resource_;
  T value_;
  Bytes flat_;  // between flat_size and flatten, which PostgreSQL always calls in a pair
};

// Memory for a small value that is read to be merged with many others: on the stack, then from the
// context.
class Scratch final : public std::pmr::memory_resource {
 public:
  Scratch() : resource_(CurrentMemoryContext) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  static constexpr std::size_t kOnStack = 8192;

  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    return arena_.allocate(bytes, alignment);
  }
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::array<std::byte, kOnStack> memory_;
  ContextResource resource_;
  std::pmr::monotonic_buffer_resource arena_{memory_.data(), memory_.size(), &resource_};
};

// A value that is only read: the expanded one in place, or a parsed copy of the flat one.
template <typename T>
class Reading {
 public:
  explicit Reading(Datum datum) {
    if (auto* expanded = Expanded<T>::of(datum))
      shared_ = &expanded->value();
    else
      own_.emplace(T::read(byte_view(datum), &scratch_));
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  const T& operator*() const { return own_ ? *own_ : *shared_; }
  const T* operator->() const { return &**this; }

 private:
  Scratch scratch_;
  std::optional<T> own_;
  const T* shared_ = nullptr;
};

// A flat datum of the value in the current memory context.
template <typename T>
Datum flat_datum(const T& value) {
  ContextResource resource(CurrentMemoryContext);
  Bytes bytes(&resource);
  value.write(bytes);
  return text_datum({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// The aggregate's context, or an error outside an aggregate.
inline MemoryContext aggregate_context(FunctionCallInfo fcinfo) {
  MemoryContext context = nullptr;
  if (AggCheckCallContext(fcinfo, &context) == 0)
    throw Error(Code::kInvalidArgument, "aggregate function called outside an aggregate");
  return context;
}

// The transition state in argument 0, ready to be changed: when null created, as
// make_value(resource) says, and expanded when flat.
template <typename T, typename Make>
Expanded<T>& state_argument(FunctionCallInfo fcinfo, Make&& make_value) {
  const MemoryContext context = aggregate_context(fcinfo);
  if (PG_ARGISNULL(0)) return *Expanded<T>::build(context, make_value);
  const Datum state = PG_GETARG_DATUM(0);
  if (VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(state)))
    if (auto* expanded = Expanded<T>::of(state)) return *expanded;
  return *Expanded<T>::read(context, byte_view(state));
}

template <typename T>
Expanded<T>& state_argument(FunctionCallInfo fcinfo) {
  return state_argument<T>(fcinfo, [](std::pmr::memory_resource* resource) { return T(resource); });
}

// The same for the common row: the state of a running aggregate that is expanded already, found
// without calls that could fail; null for any other.
template <typename T>
T* running_state(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0) || fcinfo->context == nullptr) return nullptr;
  if (!IsA(fcinfo->context, AggState) && !IsA(fcinfo->context, WindowAggState)) return nullptr;
  const Datum state = PG_GETARG_DATUM(0);
  if (!VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(state))) return nullptr;
  auto* expanded = Expanded<T>::of(state);
  return expanded == nullptr ? nullptr : &expanded->value();
}

}  // namespace vigil::pg
