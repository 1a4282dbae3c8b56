// Environment variables. All of them are texts: numbers are parsed here.
{
  // Must be set; the error names it.
  required(name):: std.extVar(name),
  optional(name, default):: std.native('env')(name, default),
  integer(name, default)::
    local text = std.native('env')(name, std.toString(default));
    local digits = std.lstripChars(text, '-');
    local is_number = digits != '' && std.all([std.member('0123456789', digit) for digit in std.stringChars(digits)]);
    if is_number then std.parseInt(text) else error name + ' is "' + text + '"; a whole number is needed',
}
