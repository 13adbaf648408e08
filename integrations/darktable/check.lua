-- What check.sh runs inside darktable: all tasks on photos with awkward names, and what is refused.
local dt = require "darktable"
local relight = require "relight" -- loaded by luarc, as README.md says

local folder = os.getenv("CHECK_FOLDER")
local result = assert(io.open(folder .. "/result", "w"))
local function say(...)
  result:write(string.format(...), "\n")
  result:flush()
end

local function check()
  dt.control.sleep(4000)
  dt.preferences.write("relight", "model", "string", "tiny")
  local before = dt.preferences.read("darktable", "plugins/lighttable/export/icctype", "integer")
  dt.database.import(folder .. "/photos")
  dt.control.sleep(3000)
  local photos = {}
  for _, image in ipairs(dt.database) do
    photos[#photos + 1] = image
  end
  assert(#photos == 2)
  dt.gui.selection(photos)
  for _, task in ipairs {"deshadow", "albedo", "relight"} do
    local done = relight.run(dt.gui.selection(), task, {strength = 1, light = "golden-hour"})
    say("%s: %d of 2", task, done)
    assert(done == 2)
  end
  dt.control.sleep(1500) -- until the thumbnails are there
  os.execute("import -window root -crop 1280x670+0+0 +repage " .. relight.quote(os.getenv("CHECK_PICTURE"), "linux"))
  assert(relight.run({photos[2]}, "deshadow", {strength = 0.5, light = ""}) == 1) -- a new name, nothing is replaced
  assert(relight.run(photos, "relight", {strength = 1, light = "no-such-light"}) == 0)
  dt.preferences.write("relight", "program", "string", "/nowhere/relight-cli")
  assert(relight.run({photos[2]}, "deshadow", {strength = 1, light = ""}) == 0)
  for _, image in ipairs(dt.database) do
    say("%s in the group of %s", image.filename, image.group_leader.filename)
  end
  assert(#dt.database == 9)
  for _, photo in ipairs(photos) do
    assert(#photo:get_group_members() == (photo.filename == "photo.jpg" and 5 or 4))
  end
  assert(dt.preferences.read("darktable", "plugins/lighttable/export/icctype", "integer") == before)
  say("all as it should be")
end

dt.control.dispatch(function()
  local passed, problem = pcall(check)
  if not passed then
    say("%s", problem)
  end
  os.execute("kill -9 $PPID")
end)
