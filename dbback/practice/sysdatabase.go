package practice

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"datfs/dbback/practice/storage"
)

const mib = 1 << 20

// A sysDatabase is an object of SYS.Database. Its id is the directory, with or
// without the trailing slash (seen in a dump by InterSystems staff).
type sysDatabase struct {
	inst *Instance
	dir  string
}

func (d *sysDatabase) class() string { return "SYS.Database" }

func (i *Instance) exists(dir string) bool {
	if dir == "" {
		return false
	}
	_, err := i.db.Database(slashed(dir))
	return err == nil
}

// openDatabase is %OpenId: "" if there is no such database.
func openDatabase(c *call) (value, error) {
	if !c.inst.exists(c.str(1)) {
		return "", nil
	}
	return &sysDatabase{c.inst, slashed(c.str(1))}, nil
}

// get returns a property. Names and values follow the dumps of two databases that
// InterSystems staff published, and the class reference; GlobalJournalState is 3
// for yes and 2 for no there.
func (d *sysDatabase) get(name string) (value, bool) {
	info, err := d.inst.db.Database(d.dir)
	if err != nil {
		info = storage.DatabaseInfo{Directory: d.dir, BlockSize: int64(d.inst.s.BlockSize)}
	}
	blocks := info.Blocks
	if d.inst.flagged("wrong-blocks", d.dir) != nil {
		blocks = blocks*2 + 1
	}
	directory := info.Directory
	if d.inst.flagged("wrong-directory", d.dir) != nil {
		directory = slashed(strings.TrimSuffix(directory, "/") + "-elsewhere")
	}
	journal := 3
	if info.NoJournal || d.inst.flagged("not-journaled", d.dir) != nil {
		journal = 2
	}
	mirrored := d.inst.flagged("mirrored", d.dir) != nil
	mirrorDB := ""
	if mirrored {
		mirrorDB = d.inst.nameOf(d.dir)
	}
	encrypted, key := d.inst.flagged("encrypted", d.dir) != nil, ""
	if encrypted {
		key = "00000000-0000-0000-0000-000000000001"
	}
	properties := map[string]value{
		"Directory": directory, "BlockSize": info.BlockSize, "Blocks": blocks, "BlocksPerMap": 62464, "CurrentMaps": 1, "DirectoryBlock": 3,
		"Size": blocks * info.BlockSize / mib, "MaxSize": info.MaxSize / mib, "ExpansionSize": info.Expansion / mib,
		"Expanding": false, "Full": false, "Mounted": info.Mounted, "ReadOnly": info.ReadOnly, "ReadOnlyMounted": info.Mounted && info.ReadOnly,
		"ClusterMounted": false, "Mirrored": mirrored, "MirrorDBName": mirrorDB, "MirrorActivationRequired": false, "InActiveMirror": mirrored,
		"EncryptedDB": encrypted, "EncryptionKeyID": key, "GlobalJournalState": journal, "LastExpansionTime": "",
		"ResourceName": info.Resource, "NewVolumeThreshold": 0, "NewVolumeDirectory": "", "VolumeDirectoryList": d.volumes(), "BlockFormat": 2,
	}
	v, ok := properties[name]
	return v, ok
}

// volumes is VolumeDirectoryList. That it is a $LIST of directories is a guess.
func (d *sysDatabase) volumes() value {
	if _, err := os.Stat(d.dir + volumeName); err != nil {
		return ""
	}
	return list{d.dir}
}

func (d *sysDatabase) set(string, value) bool { return false }

func (d *sysDatabase) call(c *call, method string) (value, bool, error) {
	var v value
	var err error
	switch method {
	case "Mount":
		v, err = d.inst.mountMethod(c, d.dir)
	case "Dismount":
		v, err = d.inst.dismountMethod(c, d.dir)
	case "%Close":
		v = ""
	case "%Save":
		v = statusOK
	default:
		return nil, false, nil
	}
	return v, true, err
}

// A resultSet is an object of %ResultSet: Execute, Next, Get, Data, Close.
type resultSet struct {
	query string
	rows  []map[string]value
	at    int // of the current row, from 1
}

func (r *resultSet) class() string { return "%Library.ResultSet" }

func (r *resultSet) get(name string) (value, bool) {
	if name == "EOF" || name == "AtEnd" {
		return r.at >= len(r.rows), true
	}
	return nil, false
}

func (r *resultSet) set(string, value) bool { return false }

func (r *resultSet) call(c *call, method string) (value, bool, error) {
	switch method {
	case "Execute", "%Execute":
		rows, err := c.inst.runQuery(r.query)
		r.rows, r.at = rows, 0
		return statusError(err), true, nil
	case "Next", "%Next":
		if r.at < len(r.rows) {
			r.at++
			return 1, true, nil
		}
		r.rows, r.at = nil, 0
		return 0, true, nil
	case "Get", "%Get", "Data", "GetDataByName":
		if r.at == 0 {
			return "", true, nil
		}
		v, ok := r.rows[r.at-1][c.str(1)]
		if !ok {
			return nil, true, c.trap("<INVALID COLUMN>", c.str(1)) // what the product says then is not documented
		}
		return v, true, nil
	case "Close", "%Close":
		r.rows, r.at = nil, 0
		return statusOK, true, nil
	}
	return nil, false, nil
}

// runQuery returns the rows of a class query. Columns as published by third
// parties that listed them, and in the class reference.
func (i *Instance) runQuery(name string) ([]map[string]value, error) {
	switch name {
	case "Config.Databases:List":
		i.mu.Lock()
		defer i.mu.Unlock()
		var rows []map[string]value
		for _, db := range i.conf.databases() {
			rows = append(rows, map[string]value{"Name": db.Name, "Directory": db.Directory, "Server": db.Server})
		}
		return rows, nil
	case "SYS.Database:List":
		return i.listQuery(), nil
	case "SYS.Database:FreeSpace":
		return i.freeSpaceQuery()
	case "Backup.General:DatabaseList":
		var rows []map[string]value
		for _, db := range i.backupSet() {
			rows = append(rows, map[string]value{"Directory": db.Directory, "Name": db.Name})
		}
		return rows, nil
	}
	return nil, fmt.Errorf("the practice instance has no query %q", name)
}

func (i *Instance) listQuery() []map[string]value {
	var rows []map[string]value
	for n, db := range i.databases() {
		info, err := i.db.Database(db.Directory)
		if err != nil {
			continue
		}
		rows = append(rows, map[string]value{
			"Directory": db.Directory, "MaxSize": info.MaxSize / mib, "Size": info.Blocks * info.BlockSize / mib, "Status": mountStatus(info),
			"Resource": info.Resource, "Encrypted": i.flagged("encrypted", db.Directory) != nil, "StateInt": 0,
			"Mirrored": i.flagged("mirrored", db.Directory) != nil, "SFN": n, "EncryptionKeyID": "", "EncryptionVersion": "",
		})
	}
	return rows
}

// mountStatus is the status column: the values are documented.
func mountStatus(info storage.DatabaseInfo) string {
	switch {
	case !info.Mounted:
		return "Dismounted"
	case info.ReadOnly:
		return "Mounted/R"
	}
	return "Mounted/RW"
}

func (i *Instance) freeSpaceQuery() ([]map[string]value, error) {
	var rows []map[string]value
	for _, db := range i.databases() {
		info, err := i.db.Database(db.Directory)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		disk, err := freeSpace(db.Directory)
		if err != nil {
			return nil, err
		}
		size, free := info.Blocks*info.BlockSize/mib, info.FreeBlocks*info.BlockSize
		rows = append(rows, map[string]value{
			"DatabaseName": db.Name, "Directory": db.Directory, "MaxSize": "Unlimited", "Size": fmt.Sprintf("%dMB", size),
			"ExpansionSize": "System Default", "Available": fmt.Sprintf("%.2fMB", float64(free)/mib), "Free": fmt.Sprintf("%.2f", 100*float64(info.FreeBlocks)/float64(max(1, info.Blocks))),
			"DiskFreeSpace": fmt.Sprintf("%.2fGB", float64(disk)/(1<<30)), "Status": mountStatus(info), "SizeInt": size,
			"AvailableNum": free / mib, "DiskFreeSpaceNum": disk / mib, "ReadOnly": info.ReadOnly,
		})
	}
	return slices.Clip(rows), nil
}

// freeSpace returns the free bytes of the disk that dir is on.
func freeSpace(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// journalSpace is GetFreeSpace. What it returns is not documented; bytes is a
// guess.
func journalSpace(c *call) (value, error) {
	primary, _ := c.inst.journalDirs()
	return freeSpace(primary)
}
