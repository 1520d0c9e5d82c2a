package dbback

import (
	"maps"
	"testing"
)

func TestDatabaseNames(t *testing.T) {
	tests := []struct {
		name string
		want map[string]string // by path
	}{
		{"InterSystems", map[string]string{
			"/mgr/user/IRIS.DAT":      "user",
			"/mgr/user/IRIS-0001.VOL": "user",
			"/mgr/Old/cache.dat":      "Old",
			"/mgr/Old/CACHE.EXT":      "Old",
		}},
		{"Others", map[string]string{
			"/db/t.dat":      "t",
			"/db/a.b.dat":    "a.b",
			"/db/plain":      "plain",
			"/db/.hidden":    ".hidden",
			"/db/ends.":      "ends",
			"/db/IRIS.DAT.1": "IRIS.DAT",
		}},
		{"ExtensionTellsApart", map[string]string{
			"/db/t.dat":  "t.dat",
			"/db/t.mjl":  "t.mjl",
			"/db2/t.dat": "t",
		}},
		{"ParentTellsApart", map[string]string{
			"/a/user/IRIS.DAT":  "a-user",
			"/b/user/IRIS.DAT":  "b-user",
			"/b/app/IRIS.DAT":   "app",
			"/b/user2/IRIS.DAT": "user2",
		}},
		{"GrandparentTellsApart", map[string]string{
			"/x/mgr/user/IRIS.DAT": "x-mgr-user",
			"/y/mgr/user/IRIS.DAT": "y-mgr-user",
		}},
		{"OneIsShorter", map[string]string{
			"/user/IRIS.DAT":   "user",
			"/a/user/IRIS.DAT": "a-user",
		}},
		{"NothingTellsApart", map[string]string{
			"/x-y/IRIS.DAT": "x-y",
			"/x/y/IRIS.DAT": "x-y-2",
			"/z/y/IRIS.DAT": "z-y",
		}},
		{"FileAndDirectory", map[string]string{
			"/a/user/IRIS.DAT": "a-user",
			"/b/user.dat":      "b-user",
		}},
		{"Root", map[string]string{"/IRIS.DAT": "IRIS", "/t.dat": "t"}},
		{"NotUTF8", map[string]string{
			"/a/b\xfed/IRIS.DAT": "a-b\uFFFDd",
			"/a/b\xffd/IRIS.DAT": "a-b\uFFFDd-2",
			"/a/caf\xe9.dat":     "caf\uFFFD",
		}},
		{"Empty", map[string]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var paths []string
			for p := range tt.want {
				paths = append(paths, p)
			}
			got := databaseNames(paths)
			if !maps.Equal(got, tt.want) {
				t.Errorf("got  %v\nwant %v", got, tt.want)
			}
		})
	}
}
