CREATE OR REPLACE FUNCTION vigil.time_bucket(width interval, ts timestamptz) RETURNS timestamptz
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_time_bucket';
COMMENT ON FUNCTION vigil.time_bucket(interval, timestamptz) IS
  'Beginning of the bucket of this width that holds the time, in UTC: weeks begin on Monday, months on the first. Infinite times are returned as they are. A width that is not positive or mixes months with other units: SQLSTATE 22023; a beginning before the first timestamp: 22008.';

CREATE OR REPLACE FUNCTION vigil.time_bucket(width interval, ts timestamptz, origin timestamptz) RETURNS timestamptz
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_time_bucket_origin';
COMMENT ON FUNCTION vigil.time_bucket(interval, timestamptz, timestamptz) IS
  'The same with buckets that begin at origin + n * width. An infinite origin: SQLSTATE 22008.';

CREATE OR REPLACE FUNCTION vigil.time_bucket(width interval, ts timestamptz, zone text) RETURNS timestamptz
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'vigil_time_bucket_zone';
COMMENT ON FUNCTION vigil.time_bucket(interval, timestamptz, text) IS
  'The same by the clocks of a time zone: a day has 23 to 25 hours. An unknown zone: SQLSTATE 22023.';
