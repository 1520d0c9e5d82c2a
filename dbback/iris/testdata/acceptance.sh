#!/bin/sh
# What "datfs check iris" asks an instance, for a person to see: acceptance.sh [INSTANCE [DIRECTORY]].
# Nothing is changed. LISTDIRS writes one file into DIRECTORY, where the instance must be able to.
inst=${1:-IRIS} list=${2:-/tmp}/datfs-list-$$.txt
iris qlist "$inst"
sed "s,LISTFILE,$list," <<'EOF' | iris session "$inst" -U %SYS
write !,"@@READY|",$zversion,!
write !,"@@NS|",$namespace,!
try { write !,"@@MGR|",##class(%File).ManagerDirectory(),! } catch e { write !,"@@ERR|MGR|",e.Name,"|",e.Location,"|",e.Data,! }
try { write !,"@@JRN|",##class(%SYS.Journal.System).GetCurrentFileName(),"|",##class(%SYS.Journal.System).GetPrimaryDirectory(),"|",##class(%SYS.Journal.System).GetAlternateDirectory(),! } catch e { write !,"@@ERR|JRN|",e.Name,"|",e.Location,"|",e.Data,! }
try { write !,"@@MIR|",$SYSTEM.Mirror.IsMember(),"|",$SYSTEM.Mirror.IsPrimary(),! } catch e { write !,"@@ERR|MIR|",e.Name,"|",e.Location,"|",e.Data,! }
try { write !,"@@MIRX|",$SYSTEM.Mirror.IsBackup(),"|",$SYSTEM.Mirror.IsAsyncMember(),"|",$SYSTEM.Mirror.MirrorName(),! } catch e { write !,"@@ERR|MIRX|",e.Name,"|",e.Location,"|",e.Data,! }
try { write !,"@@LF|",$listtostring(##class(Backup.General).GetLastFullBackupInfo()),! } catch e { write !,"@@ERR|LF|",e.Name,"|",e.Location,"|",e.Data,! }
try { write !,"@@WDS|",##class(Backup.General).IsWDSuspended(),! } catch e { write !,"@@ERR|WDS|",e.Name,"|",e.Location,"|",e.Data,! }
try { set rs=##class(%ResultSet).%New("Backup.General:DatabaseList") do rs.Execute() while rs.Next() { write !,"@@BL|",rs.Get("Directory") } write !,"@@BLEND|1",! } catch e { write !,"@@ERR|BL|",e.Name,"|",e.Location,"|",e.Data,! }
try { set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) write !,"@@DB|",n,"|",d if $isobject(o) { write "|",o.BlockSize,"|",o.Size,"|",o.Mounted,"|",o.ReadOnlyMounted,"|",o.Mirrored,"|",o.EncryptedDB,"|",o.GlobalJournalState }} write !,"@@DBEND|1",! } catch e { write !,"@@ERR|DB|",e.Name,"|",e.Location,"|",e.Data,! }
try { set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) if $isobject(o) { write !,"@@DBX|",o.Blocks,"|",o.MirrorDBName,"|",d }} write ! } catch e { write !,"@@ERR|DBX|",e.Name,"|",e.Location,"|",e.Data,! }
try { set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) if $isobject(o) { write !,"@@DBD|",n,"|",o.Directory }} write ! } catch e { write !,"@@ERR|DBD|",e.Name,"|",e.Location,"|",e.Data,! }
try { set rs=##class(%ResultSet).%New("Config.Databases:List") do rs.Execute("*") while rs.Next() { set n=rs.Get("Name"),d=rs.Get("Directory"),o=$select(d="":"",1:##class(SYS.Database).%OpenId(d)) if $isobject(o) { set v=o.VolumeDirectoryList if $listvalid(v) { set v=$listtostring(v,"|") } if v'="" { write !,"@@VOL|",n,"|",v }}} write !,"@@VOLEND|1",! } catch e { write !,"@@ERR|VOL|",e.Name,"|",e.Location,"|",e.Data,! }
try { set x=$$LISTDIRS^DBACK("LISTFILE","QUIET") write !,"@@LIST|",x,! } catch e { write !,"@@ERR|LIST|",e.Name,"|",e.Location,"|",e.Data,! }
halt
EOF
cat "$list"
rm -f "$list"
