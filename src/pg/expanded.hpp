// Values of our types that live in memory while an aggregate or expression works on them, as
// PostgreSQL's expanded objects: read from the stored bytes once, changed in place, flattened once.
// So every aggregate has a concrete state type and still no copy per row.
//
// T needs: explicit T(std::pmr::memory_resource*), void write(Bytes&) const,
// static T read(std::span<const std::uint8_t>, std::pmr::memory_resource*). T must own nothing but
// memory of that resource: its destructor is never run, the context takes everything.
#pragma once

#include "core/bytes.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

template <typename T>
class Expanded {
 public:
  // A value of its own context below `parent`, to be changed in place.
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
    auto* header = DatumGetEOHP(value);
    return header->eoh_methods == &kMethods ? reinterpret_cast<Expanded*>(header) : nullptr;
  }

  T& value() { return value_; }
  Datum datum() { return EOHPGetRWDatum(&header_); }

 private:
  template <typename Make>
  static Expanded* build(MemoryContext parent, Make&& make_value) {
    const MemoryContext context =
        call([&] { return AllocSetContextCreate(parent, "pg_vigil value", ALLOCSET_SMALL_SIZES); });
    try {
      ContextResource resource(context);
      void* memory = resource.allocate(sizeof(Expanded), alignof(Expanded));
      return new (memory) Expanded(context, make_value);
    } catch (...) {
      MemoryContextDelete(context);
      throw;
    }
  }

  template <typename Make>
  Expanded(MemoryContext context, Make&& make_value)
      : resource_(context), value_(make_value(&resource_)), flat_(&resource_) {
    EOH_init_header(&header_, &kMethods, context);
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

// A value that is only read: the expanded one in place, or a parsed copy of the flat one.
template <typename T>
class Reading {
 public:
  explicit Reading(Datum datum) : resource_(CurrentMemoryContext) {
    if (auto* expanded = Expanded<T>::of(datum))
      shared_ = &expanded->value();
    else
      own_.emplace(T::read(byte_view(datum), &resource_));
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  const T& operator*() const { return own_ ? *own_ : *shared_; }
  const T* operator->() const { return &**this; }

 private:
  ContextResource resource_;
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

// The transition state in argument 0, ready to be changed: created when null, expanded when flat.
template <typename T>
Expanded<T>& state_argument(FunctionCallInfo fcinfo) {
  const MemoryContext context = aggregate_context(fcinfo);
  if (PG_ARGISNULL(0)) return *Expanded<T>::make(context);
  const Datum state = PG_GETARG_DATUM(0);
  if (VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(state)))
    if (auto* expanded = Expanded<T>::of(state)) return *expanded;
  return *Expanded<T>::read(context, byte_view(state));
}

}  // namespace vigil::pg
