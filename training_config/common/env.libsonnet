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
  // For `cuda_device`: -1 is the CPU; by default a GPU where there is one.
  cuda_device():: if self.optional('CUDA_DEVICE', '') == '' then null else self.integer('CUDA_DEVICE', -1),
  // The path of a file that lies beside another one, such as std.thisFile.
  beside(file, name)::
    local parts = std.split(file, '/');
    std.join('/', parts[0:std.length(parts) - 1] + [name]),
  number(name, default)::
    local text = std.asciiLower(std.native('env')(name, std.toString(default)));
    local all_of(characters, part) =
      part != '' && std.all([std.member(characters, character) for character in std.stringChars(part)]);
    local halves = std.split(text, 'e');
    local digits = std.lstripChars(halves[0], '-');
    local is_number = all_of('0123456789.', digits) && std.length(std.split(digits, '.')) <= 2
                      && digits[0] != '.' && !std.endsWith(digits, '.') && std.length(halves) <= 2
                      && (std.length(halves) == 1 || all_of('0123456789', std.lstripChars(halves[1], '+-'))
                                                     && std.length(std.lstripChars(halves[1], '+-')) <= 2);
    if is_number then std.parseJson(text) else error name + ' is "' + text + '"; a number is needed, 0.001 or 1e-3',
}
