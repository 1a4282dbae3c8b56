// Environment variables. All of them are texts: numbers are parsed here.
{
  // Must be set; the error names it.
  required(name):: std.extVar(name),
  optional(name, default):: std.native('env')(name, default),
  integer(name, default):: std.parseInt(std.native('env')(name, std.toString(default))),
}
