--[[
relight: the light of photos, from darktable's lighttable.

Sends the selected photos through relight-cli (deshadow, albedo, relight), as 16-bit TIFF in linear Rec2020, which is
darktable's working profile. Each result is written next to its photo, imported, and grouped with it. Nothing that
exists is ever replaced, and photos and their edits do not change.

Install: README.md next to this file. Needs darktable 4.2 or later (Lua API 9) and relight-cli of the same version.
Licence: Apache-2.0
]]

local dt = require "darktable"

local VERSION = "0.1.0"
local NAME = "relight"
local LINEAR_REC2020 = 4 -- darktable's number of the profile
local TASKS = {
  deshadow = {suffix = "deshadowed", label = "remove shadows", tooltip = "remove cast shadows (relight-cli deshadow)"},
  albedo = {suffix = "albedo", label = "albedo", tooltip = "remove all light, keep the colours (relight-cli albedo)"},
  relight = {suffix = "relit", label = "relight", tooltip = "put the light below on the photos (relight-cli relight)"},
}
local ORDER = {"deshadow", "albedo", "relight"}

local relight = {version = VERSION}

-- Names and commands ---------------------------------------------------------------------------------------------------

-- Return a text as one word of a command line of this system.
function relight.quote(text, system)
  if system == "windows" then
    -- Backslashes before a quote are doubled for the program, per cents are put outside the quotes for cmd.exe.
    text = text:gsub('(\\*)"', '%1%1\\"'):gsub("(\\+)$", "%1%1"):gsub("%%", '"^%%"')
    return '"' .. text .. '"'
  end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Return the command line of words, with its messages in a file.
function relight.command_line(words, messages, system)
  local quoted = {}
  for _, word in ipairs(words) do
    quoted[#quoted + 1] = relight.quote(word, system)
  end
  local line = table.concat(quoted, " ") .. " 2> " .. relight.quote(messages, system)
  if system == "windows" then
    return '"' .. line .. '"' -- cmd.exe takes off the first and the last quote
  end
  return line
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

-- Return the name of the result of a photo, next to it, that no file has yet.
function relight.free_name(folder, filename, suffix, separator)
  local stem = folder .. separator .. filename:gsub("%.[^.]*$", "") .. "_" .. suffix
  local name, number = stem .. ".tif", 0
  while exists(name) do
    number = number + 1
    name = string.format("%s_%02d.tif", stem, number)
  end
  return name
end

-- Move a file to a name that no file has, also to another disk; return whether it is there.
local function move(source, target)
  if os.rename(source, target) then
    return true
  end
  local from, to = io.open(source, "rb"), io.open(target, "wb")
  local written = from and to and to:write(from:read("a")) and to:close()
  if from then
    from:close()
  end
  os.remove(written and source or target)
  return written
end

-- Return the last line of a file of messages, without the name of the program.
function relight.last_line(path)
  local last = nil
  local file = io.open(path, "r")
  if file then
    for line in file:lines() do
      if line:match("%S") then
        last = line
      end
    end
    file:close()
  end
  return last and last:gsub("^relight%-cli: ", ""):gsub("%s+$", "") or nil
end

-- darktable ------------------------------------------------------------------------------------------------------------

local function say(text)
  dt.print(NAME .. ": " .. text)
end

local function profile()
  local key = "plugins/lighttable/export/"
  return dt.preferences.read("darktable", key .. "icctype", "integer"),
    dt.preferences.read("darktable", key .. "iccprofile", "string")
end

-- Choose the profile of exports. Scripts cannot write this setting, so the list in the export module is walked through.
-- Return whether it is chosen.
local function choose_profile(number, file)
  local function chosen()
    local now, now_file = profile()
    return now == number and (number ~= 0 or now_file == file)
  end
  local count = 0
  while not chosen() and count < 100 do
    local before, before_file = profile()
    dt.gui.action("lib/export/profile", 0, "selection", count % 50 == 0 and "first" or "next", 1.0)
    for _ = 1, 20 do -- the setting follows when the window has the time for it
      dt.control.sleep(50)
      local now, now_file = profile()
      if now ~= before or now_file ~= before_file then
        break
      end
    end
    count = count + 1
  end
  return chosen()
end

local function preference(name)
  return dt.preferences.read(NAME, name, "string")
end

-- Return the words of relight-cli for a photo; options are {strength = number, light = text}.
function relight.words(task, source, target, options)
  local words = {preference("program"), task, source, "--output=" .. target, "--quiet"}
  words[#words + 1] = (string.format("--strength=%.2f", options.strength):gsub(",", ".")) -- whatever the language
  if task == "relight" then
    words[#words + 1] = "--light=" .. options.light
  end
  if preference("model") ~= "" then
    words[#words + 1] = "--model=" .. preference("model")
  end
  return words
end

-- Make the result of one photo; return nothing, or what went wrong.
local function make(image, task, options, temporary)
  local system = dt.configuration.running_os
  local separator = system == "windows" and "\\" or "/"
  local source, messages = temporary .. ".tif", temporary .. ".txt"
  local format = dt.new_format("tiff")
  format.bpp = 16
  format:write_image(image, source, false)
  if not exists(source) then
    return "cannot be exported to " .. source
  end
  local target = relight.free_name(image.path, image.filename, TASKS[task].suffix, separator)
  local braces = target:find("[{}]") -- which relight-cli takes for the fields of a template
  local output = braces and temporary .. "_result.tif" or target
  local code = dt.control.execute(relight.command_line(relight.words(task, source, output, options), messages, system))
  if code > 255 then
    code = code // 256 -- darktable 4.2 answers with the status of system(), later ones with the exit code
  end
  if code ~= 0 then
    if code == 126 or code == 127 or code == 9009 then -- what shells answer
      return preference("program") .. " cannot be started: give its whole path in the preferences, Lua options"
    end
    return relight.last_line(messages) or string.format("relight-cli ended with code %d", code)
  end
  if braces and not move(output, target) then
    return target .. " cannot be written; the result is " .. output
  end
  local imported = dt.database.import(target)
  if not imported then
    return target .. " is made, but cannot be imported"
  end
  imported:group_with(image)
end

-- Send photos through a task of relight-cli; return the number of results.
function relight.run(images, task, options)
  if #images == 0 then
    say("select one or more photos first")
    return 0
  end
  if task == "relight" and not options.light:match("%S") then
    say("say which light: a preset (golden-hour), a file of a light, or a reference photo")
    return 0
  end
  local cancelled, done, last = false, 0, nil
  local job = dt.gui.create_job(NAME .. ": " .. TASKS[task].label, true, function(self)
    cancelled = true
    self.valid = false
  end)
  local number, file = profile()
  if not choose_profile(LINEAR_REC2020, "") then
    say("linear Rec2020 cannot be chosen in the export module: the profile chosen there is used")
  end
  for position, image in ipairs(images) do
    local temporary = string.format("%s/relight_%d_%d_%d", dt.configuration.tmp_dir, os.time(), image.id, position)
    local made, problem = pcall(make, image, task, options, temporary)
    os.remove(temporary .. ".tif")
    os.remove(temporary .. ".txt")
    if made and not problem then
      done = done + 1
    else
      last = image.filename .. ": " .. tostring(problem):gsub("[\r\n]+", " ")
      say(last)
    end
    if cancelled then
      break
    end
    job.percent = position / #images
  end
  choose_profile(number, file)
  if not cancelled then
    job.valid = false
  end
  say(string.format("%d of %d photos done", done, #images) .. (last and "; " .. last or "")) -- covers the lines before
  return done
end

-- The module in the lighttable --------------------------------------------------------------------------------------

local light = dt.new_widget("entry") {
  text = "golden-hour",
  placeholder = "preset, light file or reference photo",
  tooltip = "for relight: a preset such as golden-hour, a light file (look.toml, sky.hdr) or a reference photo",
  editable = true,
}
local strength = dt.new_widget("slider") {
  label = "strength",
  tooltip = "0: unchanged, 1: full",
  soft_min = 0,
  soft_max = 1.5,
  hard_min = 0,
  hard_max = 1.5,
  step = 0.05,
  digits = 2,
}
strength.value = 1 -- not in the table above, whose order is any: 1 may lie outside the range yet

local widgets = {orientation = "vertical", strength}
for _, task in ipairs(ORDER) do
  widgets[#widgets + 1] = dt.new_widget("button") {
    label = TASKS[task].label,
    tooltip = TASKS[task].tooltip,
    clicked_callback = function()
      relight.run(dt.gui.selection(), task, {strength = strength.value, light = light.text})
    end,
  }
end
widgets[#widgets + 1] = light

local installed = false
local function install()
  if not installed then
    installed = true
    local place = {[dt.gui.views.lighttable] = {"DT_UI_CONTAINER_PANEL_RIGHT_CENTER", 20}}
    dt.register_lib(NAME, NAME, true, false, place, dt.new_widget("box")(widgets), nil, nil)
  end
end

dt.preferences.register(
  NAME, "program", "string", "relight: program", "relight-cli, or its whole path where it is not found", "relight-cli"
)
dt.preferences.register(
  NAME, "model", "string", "relight: model", "auto, tiny, crocodilight or a .safetensors file; empty: auto", ""
)

if dt.gui.current_view().id == "lighttable" then
  install()
else
  dt.register_event(NAME, "view-changed", function(event, old, new)
    if new.id == "lighttable" then
      install()
    end
  end)
end

return relight
