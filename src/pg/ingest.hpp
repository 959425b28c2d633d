// What every way in shares: items are checked one by one, the good ones stored together, the bad
// ones kept with their reason.
#pragma once

#include "pg/fact_rows.hpp"
#include "pg/grouping.hpp"
#include "pg/json.hpp"
#include "pg/quota.hpp"

namespace vigil::pg {

// Texts made during a call live here until its end.
class Texts {
 public:
  explicit Texts(std::pmr::memory_resource* resource) : arena_(resource) {}

  std::string_view keep(std::string_view text) {
    auto* copy = static_cast<char*>(arena_.allocate(text.size() + 1, 1));
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    return {copy, text.size()};
  }

  std::pmr::memory_resource* resource() { return &arena_; }

 private:
  std::pmr::monotonic_buffer_resource arena_;
};

inline void set_text(Field& field, std::string_view text) {
  field.present = true;
  field.text = text;
}

inline void set_json(Field& field, Datum jsonb) {
  field.present = true;
  field.container = DatumGetPointer(jsonb);
}

// The texts of a rejected item.
struct RejectedItem {
  int position;  // from 1
  std::optional<Uuid> module;
  Rejection rejection;
  std::string_view item;
};

// One call of an ingest function. An SPI connection must be open.
class Ingest {
 public:
  // `source` names the function in vigil.rejected.
  explicit Ingest(const char* source);

  Texts& texts() { return texts_; }
  std::pmr::memory_resource* resource() { return &resource_; }
  Row new_event() const { return events_.new_row(); }
  Row new_error() const { return errors_.new_row(); }

  // Whether containers of values are parts of a larger jsonb, or stand alone, as json_container()
  // and parse_json() give them.
  enum class Containers { kParts, kWhole };

  // Reads the members of an object into a row; members without a column go to `rest`, a jsonb
  // object column, unless it is -1.
  std::optional<Rejection> read_members(std::span<const Member> members,
                                        std::span<const Column> columns, Row& row, int rest,
                                        Containers containers = Containers::kParts);

  // What every row must pass once its members are read: required columns, and the size of objects,
  // from which addresses are removed.
  std::optional<Rejection> finish_members(std::span<const Column> columns, Row& row,
                                          Containers containers);

  // Completes the row: times, pseudonyms, fingerprint, defaults. It is then stored by finish(),
  // unless a quota refuses it.
  std::optional<Rejection> add_event(Row&& row);
  // `parts` is the fingerprint of a Sentry client.
  std::optional<Rejection> add_error(Row&& row, std::span<const std::string_view> parts = {});

  // The version that stands for a release named by text.
  void set_release(const Uuid& module, std::string_view release, Field& version);

  void reject(RejectedItem&& item) { rejected_.push_back(std::move(item)); }

  IngestCounts finish();

 private:
  struct Release {
    Uuid module;
    Uuid version;
    std::string_view name;
    bool operator<(const Release& other) const {
      return std::tie(module, version) < std::tie(other.module, other.version);
    }
  };

  void clip(std::span<const Column> columns, Row& row, std::size_t external_id) const;
  std::optional<Rejection> keep_others(Datum others, Field& field);
  void hide_person(Field& ip, Field& user);
  std::string_view secret_key();
  void set_now(Field& time) const;
  void default_json(Field& field);
  void write_rejected();
  void write_releases();
  void set_fingerprint(Row& row, std::span<const std::string_view> parts);
  void touch_groups();

  const char* source_;
  ContextResource resource_;
  Texts texts_;
  FactRows events_;
  FactRows errors_;
  ModuleGroupings groupings_;
  Quotas quotas_;
  std::pmr::vector<RejectedItem> rejected_;
  std::pmr::vector<Release> releases_;
  std::string_view secret_;
  Field empty_;  // the object without members, once it was needed
};

// A vigil.ingest_result.
Datum ingest_result(FunctionCallInfo fcinfo, const IngestCounts& counts);

// The rejection as an error that ends the statement.
[[noreturn]] void refuse(const Rejection& rejection);

// The largest jsonb that is stored, as a rejection of what is larger.
std::optional<Rejection> check_size(std::string_view column, const void* container);

}  // namespace vigil::pg
