//! An object file in memory, linked with the kernels of this process.

use std::ffi::{CStr, CString};
use std::mem::forget;
use std::ptr::null_mut;

use flock_core::kernels::kernels;
use inkwell::llvm_sys::error::{LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};
use inkwell::llvm_sys::orc2::lljit::{
    LLVMOrcCreateLLJIT, LLVMOrcDisposeLLJIT, LLVMOrcLLJITAddObjectFile, LLVMOrcLLJITGetGlobalPrefix,
    LLVMOrcLLJITGetMainJITDylib, LLVMOrcLLJITLookup, LLVMOrcLLJITMangleAndIntern, LLVMOrcLLJITRef,
};
use inkwell::llvm_sys::orc2::{
    LLVMJITEvaluatedSymbol, LLVMJITSymbolFlags, LLVMJITSymbolGenericFlags, LLVMOrcAbsoluteSymbols,
    LLVMOrcCSymbolMapPair, LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess, LLVMOrcJITDylibAddGenerator,
    LLVMOrcJITDylibDefine,
};
use inkwell::memory_buffer::MemoryBuffer;

/// Code in memory; freed when the last program that uses it goes.
pub(crate) struct Code(LLVMOrcLLJITRef);

// SAFETY: LLVM's JIT may be used from any thread; this one is only freed, once.
unsafe impl Send for Code {}
// SAFETY: as above; nothing can be done with a reference.
unsafe impl Sync for Code {}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: made by `load`, freed here alone; the program that calls the code owns this, and is being dropped.
        let _ = told(unsafe { LLVMOrcDisposeLLJIT(self.0) });
    }
}

/// What an error of LLVM says; it is taken.
fn told(error: LLVMErrorRef) -> Result<(), String> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: an error that is there has a message, which is freed once it is copied.
    unsafe {
        let message = LLVMGetErrorMessage(error);
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeErrorMessage(message);
        Err(text)
    }
}

/// Links an object that was compiled for this machine, and gives the address of that symbol with what keeps it alive.
///
/// # Errors
/// What LLVM says.
pub(crate) fn load(object: &[u8], symbol: &str) -> Result<(*const u8, Code), String> {
    let mut jit = null_mut();
    // SAFETY: without a builder LLVM takes its own choices for this machine, which `Cpu::object` has made known.
    told(unsafe { LLVMOrcCreateLLJIT(&raw mut jit, null_mut()) })?;
    let code = Code(jit);
    define_kernels(&code)?;
    define_libc(&code)?;
    let buffer = MemoryBuffer::create_from_memory_range_copy(object, "flock");
    // SAFETY: the JIT is alive, and takes the buffer, which is therefore not freed here.
    let added = unsafe { LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), buffer.as_mut_ptr()) };
    forget(buffer);
    told(added)?;
    let name = CString::new(symbol).map_err(|e| e.to_string())?;
    let mut address = 0;
    // SAFETY: the JIT, the place of the result and the name are alive.
    told(unsafe { LLVMOrcLLJITLookup(jit, &raw mut address, name.as_ptr()) })?;
    let address = usize::try_from(address).ok().filter(|a| *a != 0).ok_or("the symbol has no address")?;
    Ok((address as *const u8, code))
}

/// The kernels under their names.
fn define_kernels(code: &Code) -> Result<(), String> {
    let generic = LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsExported as u8
        | LLVMJITSymbolGenericFlags::LLVMJITSymbolGenericFlagsCallable as u8;
    let mut pairs = Vec::new();
    for kernel in kernels() {
        let name = CString::new(kernel.name).map_err(|e| e.to_string())?;
        let flags = LLVMJITSymbolFlags { GenericFlags: generic, TargetFlags: 0 };
        let symbol = LLVMJITEvaluatedSymbol { Address: kernel.address as u64, Flags: flags };
        // SAFETY: the JIT and the name are alive; the reference that this gives is handed on below.
        let name = unsafe { LLVMOrcLLJITMangleAndIntern(code.0, name.as_ptr()) };
        pairs.push(LLVMOrcCSymbolMapPair { Name: name, Sym: symbol });
    }
    // SAFETY: the pairs are copied, and the references to their names are taken; the JIT is alive and takes the unit.
    told(unsafe {
        let symbols = LLVMOrcAbsoluteSymbols(pairs.as_mut_ptr(), pairs.len());
        LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(code.0), symbols)
    })
}

/// What LLVM makes loops into: `memset` and its like are those of this process.
fn define_libc(code: &Code) -> Result<(), String> {
    let mut generator = null_mut();
    // SAFETY: the JIT is alive; there is no filter, which may be absent.
    unsafe {
        let prefix = LLVMOrcLLJITGetGlobalPrefix(code.0);
        told(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&raw mut generator, prefix, None, null_mut()))?;
        // SAFETY: the library takes the generator.
        LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(code.0), generator);
    }
    Ok(())
}
