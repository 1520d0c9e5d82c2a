package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// The structs here are what a script's author reads from the documentation. They
// are written out once more on purpose: renaming a field in the program must
// fail here.

type wantSummary struct {
	Instance    string    `json:"instance"`
	Name        string    `json:"name"`
	Time        time.Time `json:"time"`
	Finished    time.Time `json:"finished"`
	State       string    `json:"state"`
	Engine      string    `json:"engine"`
	Host        string    `json:"host"`
	Program     string    `json:"program"`
	Databases   int       `json:"databases"`
	Bytes       int64     `json:"bytes"`
	ZeroBytes   int64     `json:"zero_bytes"`
	NewBytes    int64     `json:"new_bytes"`
	StoredBytes int64     `json:"stored_bytes"`
	Steps       []struct {
		Name   string    `json:"name"`
		Time   time.Time `json:"time"`
		Means  string    `json:"means"`
		Next   string    `json:"next"`
		Leaves []string  `json:"leaves"`
	} `json:"steps"`
	Validated *struct {
		Time      time.Time `json:"time"`
		Check     string    `json:"check"`
		Instance  string    `json:"instance"`
		Host      string    `json:"host"`
		Program   string    `json:"program"`
		Databases []string  `json:"databases"`
		Whole     bool      `json:"whole"`
		Clean     bool      `json:"clean"`
		Findings  int       `json:"findings"`
		Damaged   []string  `json:"damaged"`
		Report    string    `json:"report"`
	} `json:"validated"`
	Damaged []string `json:"damaged"`
}

type wantFindings []struct {
	Level string `json:"level"`
	Check string `json:"check"`
	Text  string `json:"text"`
	Do    string `json:"do"`
}

type wantDatabases []struct {
	Name      string   `json:"name"`
	Directory string   `json:"directory"`
	Paths     []string `json:"paths"`
	BlockSize int32    `json:"block_size"`
	Bytes     int64    `json:"bytes"`
	Mounted   bool     `json:"mounted"`
	ReadOnly  bool     `json:"read_only"`
	Mirror    string   `json:"mirror"`
	Encrypted bool     `json:"encrypted"`
	Journaled bool     `json:"journaled"`
}

type wantDryRun struct {
	Instance  string        `json:"instance"`
	Version   string        `json:"product_version"`
	Databases wantDatabases `json:"databases"`
	Findings  wantFindings  `json:"findings"`
	Steps     []struct {
		Step       string   `json:"step"`
		What       string   `json:"what"`
		Statements []string `json:"statements"`
		Files      []string `json:"files"`
	} `json:"steps"`
}

type wantSet struct {
	wantSummary
	Method *struct {
		Version      string        `json:"product_version"`
		Databases    wantDatabases `json:"databases"`
		Incrementals []string      `json:"incrementals"`
		Journal      *struct {
			Required string   `json:"required"`
			Marker   string   `json:"marker"`
			Offset   int64    `json:"offset"`
			Switched string   `json:"switched"`
			Files    []string `json:"files"`
		} `json:"journal"`
		Facts map[string]string `json:"facts"`
	} `json:"method"`
	Findings wantFindings `json:"findings"`
	Notes    []struct {
		Name  string    `json:"name"`
		Kind  string    `json:"kind"`
		Time  time.Time `json:"time"`
		Bytes int64     `json:"bytes"`
	} `json:"notes"`

	Asked []string `json:"files_asked"`
	Files []struct {
		Path       string    `json:"path"`
		PathBase64 []byte    `json:"path_base64"` // instead of path, if that is not UTF-8
		Section    string    `json:"section"`
		Database   string    `json:"database"`
		Size       int64     `json:"size"`
		Mode       uint32    `json:"mode"`
		UID        uint32    `json:"uid"`
		GID        uint32    `json:"gid"`
		MTime      time.Time `json:"mtime"`
		BlockSize  int32     `json:"block_size"`
		Format     string    `json:"format"`
		SizeAtOpen int64     `json:"size_at_open"`
		SizeAtEnd  int64     `json:"size_at_end"`
		Label      *struct {
			Directory string `json:"directory"`
			Resource  string `json:"resource"`
			Blocks    int64  `json:"blocks"`
			BlockSize int32  `json:"block_size"`
		} `json:"label"`
		XXH64       string `json:"xxh64"`
		Origin      string `json:"origin"` // where a file beside the databases was
		ZeroBytes   int64  `json:"zero_bytes"`
		NewBytes    int64  `json:"new_bytes"`
		StoredBytes int64  `json:"stored_bytes"`
	} `json:"files"`
	Dirs []struct {
		Path  string    `json:"path"`
		Raw   []byte    `json:"path_base64"`
		Mode  uint32    `json:"mode"`
		UID   uint32    `json:"uid"`
		GID   uint32    `json:"gid"`
		MTime time.Time `json:"mtime"`
	} `json:"dirs"`
	Problems []struct {
		Path  string `json:"path"`
		Error string `json:"error"`
		Fatal bool   `json:"fatal"`
	} `json:"problems"`
}

type wantDamage []struct {
	Set            string `json:"set"`
	Path           string `json:"path"`
	Error          string `json:"error"`
	RepositoryFile string `json:"repository_file"`
	Offset         *int64 `json:"offset"`
}

type wantStats struct {
	Sets             int     `json:"sets"`
	LogicalBytes     int64   `json:"logical_bytes"`
	ZeroBytes        int64   `json:"zero_bytes"`
	UniqueBytes      int64   `json:"unique_bytes"`
	StoredBytes      int64   `json:"stored_bytes"`
	MetaBytes        int64   `json:"meta_bytes"`
	DedupRatio       float64 `json:"dedup_ratio"`
	CompressionRatio float64 `json:"compression_ratio"`
	SavedBytes       int64   `json:"saved_bytes"`
	SavedPercent     float64 `json:"saved_percent"`
	Packs            int     `json:"packs"`
	PerSet           []struct {
		Instance     string `json:"instance"`
		Name         string `json:"name"`
		State        string `json:"state"`
		LogicalBytes int64  `json:"logical_bytes"`
		ZeroBytes    int64  `json:"zero_bytes"`
		NewBytes     int64  `json:"new_bytes"`
		StoredBytes  int64  `json:"stored_bytes"`
	} `json:"per_set"`
	PerDatabase []struct {
		Instance     string `json:"instance"`
		Database     string `json:"database"`
		Sets         int    `json:"sets"`
		LogicalBytes int64  `json:"logical_bytes"`
		ZeroBytes    int64  `json:"zero_bytes"`
		NewBytes     int64  `json:"new_bytes"`
		StoredBytes  int64  `json:"stored_bytes"`
	} `json:"per_database"`
}

type wantRestore struct {
	Set    string `json:"set"`
	To     string `json:"to"`
	DryRun bool   `json:"dry_run"`
	Files  []struct {
		Path           string `json:"path"`
		Target         string `json:"target"`
		Size           int64  `json:"size"`
		WrittenBytes   int64  `json:"written_bytes"`
		UnchangedBytes int64  `json:"unchanged_bytes"`
		HoleBytes      int64  `json:"hole_bytes"`
		Created        bool   `json:"created"`
		Error          string `json:"error"`
	} `json:"files"`
	Size           int64    `json:"size"`
	WrittenBytes   int64    `json:"written_bytes"`
	UnchangedBytes int64    `json:"unchanged_bytes"`
	HoleBytes      int64    `json:"hole_bytes"`
	Warnings       []string `json:"warnings"`
}

type wantArchive struct {
	Instance string      `json:"instance"`
	Set      wantSummary `json:"set"`
	Stored   []string    `json:"stored"`
	Known    int         `json:"known"`
	Current  string      `json:"current"`
	Unsure   []string    `json:"unsure"`
	Warnings []string    `json:"warnings"`
}

type wantJournals []struct {
	Instance string `json:"instance"`
	Files    []struct {
		Name    string `json:"name"`
		Missing bool   `json:"missing"`
		Anew    bool   `json:"anew"`
		Copies  []struct {
			Set         string    `json:"set"`
			StoredAs    string    `json:"stored_as"`
			Archive     bool      `json:"archive"`
			Open        bool      `json:"open"`
			Origin      string    `json:"origin"`
			Size        int64     `json:"size"`
			StoredBytes int64     `json:"stored_bytes"`
			LastWritten time.Time `json:"last_written"`
		} `json:"copies"`
	} `json:"files"`
	Reach *struct {
		Set      string    `json:"set"`
		Required string    `json:"required"`
		Last     string    `json:"last"`
		Until    time.Time `json:"until"`
		Missing  []string  `json:"missing"`
		Beyond   int       `json:"beyond"`
		Anew     string    `json:"begins_anew"`
	} `json:"reach"`
}

// decode decodes one JSON value that must have no field that T has not.
func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	if dec.More() {
		t.Fatalf("more than one value in\n%s", data)
	}
	return v
}

// TestJSONFields fills every field of what is printed and holds that each comes
// out under a documented name, and that no documented one is missing.
func TestJSONFields(t *testing.T) {
	full := filled[catalog.SetInfo]()
	var damages bytes.Buffer
	w := newDamageWriter(&damages, true)
	for _, d := range someDamage() {
		w.add(d)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		print any
		want  any
	}{
		{"sets", []setSummary{summaryOf(full)}, []wantSummary{}},
		{"show", full, wantSet{}},
		{"check", *filled[[]catalog.Finding](), wantFindings{}},
		{"dry run", filled[dryPlan](), wantDryRun{}},
		{"stats", filled[catalog.Stats](), wantStats{}},
		{"restore", filled[dbback.RestoreReport](), wantRestore{}},
		{"journal archive", archiveResult{Set: &setSummary{SetInfo: full}}, wantArchive{}},
		{"journal list", filled[[]journalListing](), wantJournals{}},
		{"verify", json.RawMessage(damages.Bytes()), wantDamage{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := writeJSON(&b, tt.print); err != nil {
				t.Fatal(err)
			}
			got, want := fieldNames(b.Bytes()), typeNames(reflect.TypeOf(tt.want))
			if !slices.Equal(got, want) {
				t.Errorf("fields\n got %v\nwant %v", got, want)
			}
		})
	}
}

// fieldNames returns all field names in a JSON text, sorted, each once.
func fieldNames(text []byte) []string {
	var names []string
	for _, m := range regexp.MustCompile(`"([^"]*)":`).FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// typeNames returns all JSON field names of a type, sorted, each once.
func typeNames(typ reflect.Type) []string {
	var names []string
	switch typ.Kind() {
	case reflect.Map: // its names are the data's
		names = []string{anyName}
	case reflect.Pointer, reflect.Slice:
		names = typeNames(typ.Elem())
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() {
			return nil
		}
		for f := range typ.Fields() {
			if !f.Anonymous {
				names = append(names, f.Tag.Get("json"))
			}
			names = append(names, typeNames(f.Type)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// anyName is the name that fill gives to the one element of a map.
const anyName = "any"

// filled returns a T in which nothing is zero, so that no "omitempty" hides it.
func filled[T any]() *T {
	v := new(T)
	fill(reflect.ValueOf(v).Elem())
	return v
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint32:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{anyName: "x"}))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 0)))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}

func TestJSON_EmptyLists(t *testing.T) {
	var verify bytes.Buffer
	if err := newDamageWriter(&verify, true).close(); err != nil {
		t.Fatal(err)
	}
	if verify.String() != "[]\n" {
		t.Errorf("no damage: %q", verify.String())
	}
	if got := orEmpty[int](nil); got == nil || len(got) != 0 {
		t.Errorf("orEmpty(nil) = %#v", got)
	}
}

// TestJSON_RealOutput decodes what the commands print about a real repository.
func TestJSON_RealOutput(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "IRIS.DAT")
	if err := os.WriteFile(file, bytes.Repeat([]byte("datfs "), 50_000), 0o640); err != nil {
		t.Fatal(err)
	}
	t.Setenv(repoEnv, filepath.Join(dir, "repo"))
	output := func(args ...string) []byte {
		t.Helper()
		code, stdout, stderr := run(t, args...)
		if code != exitOK {
			t.Fatalf("%v: exit code %d\n%s", args, code, stderr)
		}
		return []byte(stdout)
	}
	output("init")
	stored := decode[wantSummary](t, output("backup", "files", "--name", "PROD", file, "--json"))
	sets := decode[[]wantSummary](t, output("sets", "--json"))
	if len(sets) != 1 || !reflect.DeepEqual(sets[0], stored) || stored.Bytes != 300_000 || stored.Time.Location() != time.UTC {
		t.Errorf("sets %+v\nbackup said %+v", sets, stored)
	}
	set := decode[wantSet](t, output("show", "PROD/latest", "--json"))
	if !reflect.DeepEqual(set.wantSummary, stored) || len(set.Files) != 1 || set.Files[0].Path != file || set.Files[0].Mode != 0o640 {
		t.Errorf("show %+v", set)
	}
	stats := decode[wantStats](t, output("stats", "--json"))
	if stats.Sets != 1 || stats.LogicalBytes != stored.Bytes || len(stats.PerSet) != 1 || len(stats.PerDatabase) != 1 {
		t.Errorf("stats %+v", stats)
	}
	report := decode[wantRestore](t, output("restore", "PROD/latest", "--to", filepath.Join(dir, "out"), "--json"))
	if report.Size != stored.Bytes || len(report.Files) != 1 || !report.Files[0].Created {
		t.Errorf("restore %+v", report)
	}
	if damages := decode[wantDamage](t, output("verify", "--json")); len(damages) != 0 || damages == nil {
		t.Errorf("verify %#v, want an empty array", damages)
	}
}
